// Runs the components of the guide for React, unchanged, with the packed tarball in Chromium.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../common/folder'
import { install, openBrowser, pageWith, repository, serveFolder } from './tarball.js'

const guide = readFileSync(join(repository, 'docs/guides/react.md'), 'utf8')
const blocks = [...guide.matchAll(/<!-- runs: react -->\n+```jsx\n(.*?)```/gs)].map(([, code]) => code!)

/** For each component: what is there before, how it is shown, what is typed, and what is shown then. */
const RUNS = [
  {
    before: `const index = await open('notes')
      await index.add({ id: 'a', text: 'The roof leaks.' })
      await index.close()`,
    shown: 'h(Notes)',
    typed: 'roo',
    text: 'doneThe roof leaks.Keep',
  },
  {
    before: `const db = await open('texts')
      await db.upsert('texts', { id: 'a', vector: [1, 0, 0], attrs: { text: 'the roof leaks', tag: 'home' } })
      await db.close()`,
    shown: 'h(Texts, { embed: () => [1, 0, 0] })',
    typed: 'roof',
    text: 'home (1)the roof leaks',
  },
  {
    before: `const db = await Nidus.open('vectors', { dimension: 3 })
      await db.upsert('v', { id: 'a', vector: [1, 0, 0] })
      await db.close()`,
    shown: 'h(Page)',
    typed: '',
    text: '1 hits',
  },
]

const MODEL = `export const transformers = async () =>
  ({ model: 'm', dimension: 3, embed: (texts) => texts.map(() => [1, 0, 0]) })`

const script = (block: string, { before, shown, typed }: (typeof RUNS)[number]) => `
  import { createElement as h, StrictMode } from 'react'
  import { createRoot } from 'react-dom/client'
  ${block.includes("from 'nidus-wasm'") ? '' : "import { Nidus } from 'nidus-wasm'"}
  ${block}
  ${before}
  const page = document.body.appendChild(document.createElement('div'))
  createRoot(page).render(h(StrictMode, null, ${shown}))
  const typed = ${JSON.stringify(typed)}
  new MutationObserver(() => {
    const input = page.querySelector('input')
    if (input && input.value !== typed) {
      Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, typed)
      input.dispatchEvent(new Event('input', { bubbles: true }))
    }
    console.log(page.textContent)
  }).observe(page, { childList: true, subtree: true, characterData: true })`

it('the components for React find what is typed', async () => {
  expect(blocks.length).toBe(RUNS.length)
  expect(guide.match(/```jsx/g)!.length).toBe(blocks.length)
  const folder = temporaryFolder('guide-react')
  await install(folder)
  const server = await serveFolder(folder)
  const { context, said, complaints } = await openBrowser(join(folder, 'profile'))
  try {
    for (const [i, block] of blocks.entries()) {
      const { outputFiles } = await build({
        stdin: { contents: script(block, RUNS[i]!), loader: 'jsx', resolveDir: folder },
        jsx: 'automatic',
        bundle: true,
        write: false,
        format: 'esm',
        target: 'es2022',
        define: { 'process.env.NODE_ENV': '"production"' },
        nodePaths: [join(repository, 'node_modules')],
        // The page loads the engine itself, and the hooks load it by this name.
        plugins: [
          {
            name: 'engine',
            setup({ onResolve, onLoad }) {
              onResolve({ filter: /^nidus-wasm(\/text)?$/ }, ({ path }) => ({ path, external: true }))
              // The model is not what is tested here. `transformers.test.ts` runs it.
              onResolve({ filter: /^nidus-wasm\/text\/transformers$/ }, ({ path }) => ({ path, namespace: 'model' }))
              onLoad({ filter: /./, namespace: 'model' }, () => ({ contents: MODEL }))
            },
          },
        ],
      })
      writeFileSync(join(folder, `${i}.html`), pageWith(outputFiles[0]!.text.replaceAll('</script', '<\\/script')))
      const page = context.pages()[0] ?? (await context.newPage())
      await page.goto(`${server.origin}${i}.html`)
      await expect.poll(() => (complaints.length > 0 ? complaints.join() : said.at(-1))).toBe(RUNS[i]!.text)
    }
  } finally {
    await context.close()
    server.stop()
  }
})

it('the components for Vue, Svelte and Solid are those that the tests run', () => {
  for (const name of ['notes.svelte', 'notes-vue.ts', 'notes-solid.ts']) {
    const code = readFileSync(join(repository, 'pkg-tests/browser', name), 'utf8')
    expect(guide, name).toContain(`\n${code}\`\`\``)
  }
})
