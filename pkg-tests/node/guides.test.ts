// Runs the code of the guides, unchanged, with the packed tarball.
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, transform } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../common/folder'
import { bundle, serve } from '../workerd/harness.mjs'
import { blocksOf, guides, install, openBrowser, pageWith, repository, run, serveFolder } from './tarball.js'

const folder = temporaryFolder('guides')
const blocks = blocksOf([...guides(), 'README.md'])
const of = (runs: string) => blocks.filter((block) => block.runs === runs).map((block, n) => ({ ...block, n }))

/** The part of Cloudflare's types that the guide uses. */
const CLOUDFLARE = `
interface DurableObjectState {
  storage: import('nidus-wasm/durable-object').DurableStorage
  blockConcurrencyWhile<T>(work: () => Promise<T>): Promise<T>
}
interface DurableObjectNamespace<T> { idFromName(name: string): object; get(id: object): T }
interface ExportedHandler<E> { fetch?(request: Request, env: E): Promise<Response> }
declare module 'cloudflare:workers' {
  export class DurableObject<E> {
    constructor(ctx: DurableObjectState, env: E)
    protected ctx: DurableObjectState
    protected env: E
  }
}
`

beforeAll(() => install(folder))

it('names a runtime for each block of JavaScript', () => {
  for (const path of guides()) {
    const text = readFileSync(join(repository, path), 'utf8')
    // One block depends on the user's own folders. It is not run here, but the matrix of bundlers tests it.
    const untried = path.endsWith('bundlers.md') ? 1 : 0
    expect(text.match(/^```js\b/gm)?.length ?? 0, path).toBe(
      blocks.filter(({ name }) => name.startsWith(path)).length + untried,
    )
  }
  expect([...new Set(blocks.map(({ runs }) => runs))].sort()).toEqual([
    'browser',
    'bundled',
    'deno',
    'embedder',
    'node',
    'peers',
    'segment',
    'sharded',
    'workerd',
  ])
})

it.each(of('node'))('$name, in Node', async ({ n, code }) => {
  const name = `node-${n}.mjs`
  // Node 20 has Symbol.asyncDispose, but no `await using`. So esbuild translates it.
  writeFileSync(
    join(folder, name),
    (await transform(code, { format: 'esm', target: `node${process.versions.node}` })).code,
  )
  const { stderr } = await run(folder, process.execPath, name)
  expect(stderr).toBe('')
})

it('have TypeScript that compiles, with errors only at the marked lines', async () => {
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        target: 'es2022',
        module: 'nodenext',
        strict: true,
        noEmit: true,
        types: [],
        lib: ['es2022', 'dom'],
      },
      include: ['*.mts', 'cloudflare.d.ts'],
    }),
  )
  const check = () =>
    run(folder, process.execPath, join(repository, 'node_modules/typescript/bin/tsc'), '-p', '.').then(
      ({ stdout }) => stdout,
      ({ stdout }: { stdout: string }) => stdout,
    )
  // `guide-react.test.ts` compares those of that page with files that tests run.
  const found = guides().flatMap((path) =>
    path.endsWith('react.md')
      ? []
      : [...readFileSync(join(repository, path), 'utf8').matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => ({
          path,
          code: code!,
        })),
  )
  expect(found.map(({ path }) => path)).toEqual(['docs/guides/cloudflare.md', 'docs/guides/filters.md'])
  // Both are compiled in one run, because the compiler starts slowly.
  const [cloudflare, filters] = found.map(({ code }) => code) as [string, string]
  const whole = `import { Nidus } from 'nidus-wasm'\ndeclare const query: Float32Array\n${filters}`
  const write = (object: string, block: string) => {
    writeFileSync(join(folder, 'object.mts'), object)
    writeFileSync(join(folder, 'block.mts'), block)
  }
  writeFileSync(join(folder, 'cloudflare.d.ts'), CLOUDFLARE)
  write(cloudflare, whole)
  expect(await check()).toBe('')
  expect(whole).toContain("`lang: 'go'` would not compile")
  write(cloudflare.replace('attrs.title', 'attrs.titel'), whole.replace("{ lang: 'rust',", "{ lang: 'go',"))
  const complaints = await check()
  expect(complaints).toMatch(/object\.mts.*titel/s)
  expect(complaints).toMatch(/block\.mts.*"go"/s)
  for (const name of ['object.mts', 'block.mts']) rmSync(join(folder, name))
})

it('an object that is called over RPC in workerd has error codes with any compatibility date', async () => {
  const [, ts] = /^```ts\n(.*?)^```/ms.exec(readFileSync(join(repository, 'docs/guides/cloudflare.md'), 'utf8'))!
  const { code } = await transform(ts!, { loader: 'ts', target: 'es2022' })
  const directory = join(folder, 'rpc')
  await bundle(directory, code, { folder: join(folder, 'node_modules/nidus-wasm') })
  for (const date of ['2026-05-03', '2025-01-01']) {
    const served = await serve(directory, { objects: { Index: true }, date })
    try {
      expect(await (await fetch(served.url, { method: 'POST' })).json()).toMatchObject([
        { id: 'sea', title: 'At the sea' },
      ])
      const refused = await fetch(`${served.url}?q=1,2`)
      expect([date, refused.status, await refused.text()]).toEqual([date, 400, 'a query has 3 numbers'])
    } finally {
      await served.stop()
    }
  }
})

it.each(of('deno'))('$name, in Deno', async ({ n, code }) => {
  writeFileSync(join(folder, `deno-${n}.mjs`), code)
  const deno = join(repository, 'node_modules/deno/bin.cjs')
  const { stdout } = await run(
    folder,
    process.execPath,
    deno,
    'run',
    '--allow-read',
    '--allow-write',
    '--node-modules-dir=manual',
    `deno-${n}.mjs`,
  )
  expect(stdout).toBe('a\n')
})

it.each(of('workerd'))('$name, in workerd', async ({ n, code }) => {
  const directory = join(folder, `workerd-${n}`)
  await bundle(directory, code, { folder: join(folder, 'node_modules/nidus-wasm') })
  const served = await serve(directory, { objects: { Notes: true } })
  try {
    expect(await (await fetch(new URL('/add', served.url))).text()).toBe('added')
    expect(await (await fetch(served.url)).json()).toMatchObject([{ id: 'sea' }])
  } finally {
    await served.stop()
  }
})

it.each(of('sharded'))('$name, over objects of workerd', async ({ n, code }) => {
  const directory = join(folder, `sharded-${n}`)
  // The harness binds each object by the name of its class. So the classes get the names of the bindings in the guide.
  const bound = code.replace('class Router', 'class NIDUS_ROUTER').replace('class Shard', 'class NIDUS_SHARD')
  await bundle(directory, bound, { folder: join(folder, 'node_modules/nidus-wasm') })
  const served = await serve(directory, { objects: { NIDUS_ROUTER: true, NIDUS_SHARD: true }, date: '2026-05-03' })
  try {
    expect(await (await fetch(new URL('/add', served.url))).text()).toBe('added')
    expect(await (await fetch(new URL('/grow', served.url))).json()).toMatchObject({ shards: 6 })
    expect(await (await fetch(served.url)).json()).toMatchObject([{ id: 'sea', attrs: { title: 'At the sea' } }])
  } finally {
    await served.stop()
  }
})

describe('in Chromium', () => {
  let server: Awaited<ReturnType<typeof serveFolder>>
  let browser: Awaited<ReturnType<typeof openBrowser>>
  beforeAll(async () => {
    server = await serveFolder(folder)
    browser = await openBrowser(join(folder, 'profile'))
  })
  afterAll(async () => {
    await browser?.context.close()
    server?.stop()
  })

  it.each(of('browser'))('$name', async ({ n, code }) => {
    browser.said.length = browser.complaints.length = 0
    writeFileSync(join(folder, `page-${n}.html`), pageWith(`${code};console.log('the end')`))
    const page = browser.context.pages()[0] ?? (await browser.context.newPage())
    await page.goto(`${server.origin}page-${n}.html`)
    await expect.poll(() => browser.said.at(-1) === 'the end' || browser.complaints.length > 0).toBe(true)
    expect(browser.complaints).toEqual([])
  })

  // The model is where the demo has it. Without it, the demo is not tested either.
  const model = join(repository, 'www/public/models/all-MiniLM-L6-v2')
  it.skipIf(!existsSync(model)).each(of('embedder'))('$name, with a real model', async ({ code }) => {
    const from = `import { env } from '@huggingface/transformers'
      env.allowRemoteModels = false
      env.allowLocalModels = true
      env.localModelPath = '/models/'
      env.backends.onnx.wasm.wasmPaths = '/onnx/'`
    const { outputFiles } = await build({
      stdin: { contents: `${from}\n${code};console.log('the end')`, resolveDir: repository },
      bundle: true,
      write: false,
      format: 'esm',
      target: 'es2022',
      external: ['nidus-wasm'],
    })
    cpSync(model, join(folder, 'models/Xenova/all-MiniLM-L6-v2'), { recursive: true })
    cpSync(join(repository, 'node_modules/onnxruntime-web/dist'), join(folder, 'onnx'), {
      recursive: true,
      filter: (path) => !/\.(map|js)$/.test(path),
    })
    // The package's own embedder gets the same files by its options.
    const local = { models: '/models/', runtime: '/onnx/', library: '/transformers.min.js' }
    cpSync(
      join(repository, 'node_modules/@huggingface/transformers/dist/transformers.min.js'),
      join(folder, 'transformers.min.js'),
    )
    writeFileSync(
      join(folder, 'with-local-model.js'),
      `import { transformers as make } from '/node_modules/nidus-wasm/dist/transformers-browser.js'
      export const transformers = (model) => make(model, ${JSON.stringify(local)})`,
    )
    const html = pageWith(outputFiles[0]!.text.replaceAll('</script', '<\\/script'))
    writeFileSync(
      join(folder, 'embedder.html'),
      html.replace('/node_modules/nidus-wasm/dist/transformers-browser.js', '/with-local-model.js'),
    )
    // A page of its own, because what the last test's page still says comes late.
    const page = await browser.context.newPage()
    const said: string[] = []
    page.on('console', (message) => void (message.type() === 'log' && said.push(message.text())))
    browser.complaints.length = 0
    // transformers.js asks for the length of a file and cancels that request, which counts as one that failed.
    const errors = () => browser.complaints.filter((each) => /^(error|uncaught)/.test(each))
    await page.goto(`${server.origin}embedder.html`)
    await expect.poll(() => said.at(-1) === 'the end' || errors().length > 0).toBe(true)
    const expected = [...code.matchAll(/console\.log\(.*\/\/ '([^']+)'/g)].map(([, id]) => id!)
    expect([said, errors()]).toEqual([[...expected, 'the end'], []])
  })
})

it('the example for Deno finds at its second run the records of the first', async () => {
  cpSync(join(repository, 'examples/deno/main.js'), join(folder, 'main.mjs'))
  const deno = () =>
    run(
      folder,
      process.execPath,
      join(repository, 'node_modules/deno/bin.cjs'),
      'run',
      '--allow-read',
      '--allow-write',
      '--node-modules-dir=manual',
      'main.mjs',
    )
  const first = (await deno()).stdout
  expect(first).toMatch(/^wrote 5 colours\norange 0\.\d{3}\n.* 0\.\d{3}\n$/)
  expect((await deno()).stdout).toBe(first.replace('wrote 5 colours\n', ''))
})
