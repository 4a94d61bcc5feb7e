// Tests searches for words in stores that are served as plain files. Compares them with the store in its folder and
// with a naive model.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { Nidus, type Attrs, type Query, type QuestionOptions, type StaticOptions } from 'nidus-wasm'
import { random } from '../common/model'
import { TextModel, sameAnswer } from '../common/text-model'
import { openBrowser, repository } from './tarball.js'
import { directory, serveStatic, type Ways } from '../common/static-server.mjs'
import { codeOf } from '../common/api'
import { temporaryFolder } from '../common/folder'

const root = temporaryFolder('static-text')
const store = join(root, 'store')
const D = 32
const WORDS = 'river stone cloud amber field glass north cedar ember frost grain haven'.split(' ')
const r = random(21)
const model = new TextModel()
const sentence = (most: number) => Array.from({ length: 1 + r.int(most) }, () => r.pick(WORDS)).join(' ')

beforeAll(async () => {
  const db = await Nidus.open(store, { dimension: D })
  await db.setText('docs', { title: { weight: 3 }, body: {} })
  await db.setText('notes', 'body')
  model.collection('docs').text = { title: 3, body: 1 }
  model.collection('notes').text = { body: 1 }
  for (let batch = 0; batch < 6; batch++)
    for (const name of ['docs', 'notes', 'plain']) {
      const records = Array.from({ length: 60 }, () => {
        const attrs: Attrs = { title: sentence(3), body: sentence(12), kind: r.pick(['a', 'b', 'c']) }
        return { id: `r${r.int(300)}`, vector: r.vector(D), attrs }
      })
      await db.upsert(name, records)
      for (const { id, vector, attrs } of records) model.collection(name).docs.set(id, { vector, attrs })
    }
  const changed = [...model.collection('docs').docs.keys()].slice(0, 20)
  await db.update(
    'docs',
    changed.map((id) => ({ id, attrs: { title: 'haven' } })),
  )
  for (const id of changed) model.collection('docs').docs.get(id)!.attrs['title'] = 'haven'
  await db.deleteWhere('docs', { kind: 'c' })
  for (const [id, { attrs }] of model.collection('docs').docs)
    if (attrs['kind'] === 'c') model.collection('docs').docs.delete(id)
  await db.close()
})

/** Returns questions with their options. */
function questions() {
  const text = `${r.pick(WORDS)} ${r.pick(WORDS)}`
  const vector = r.vector(D)
  return [
    { query: { text }, options: {} },
    { query: { text, vector }, options: {} },
    { query: { text, vector }, options: { fusion: 'rrf', collections: 'docs' } },
    { query: { text }, options: { match: 'all', filter: { kind: 'a' }, offset: 2 } },
    { query: { text, vector }, options: { groupBy: { key: 'kind', size: 2 }, facets: { kind: {} }, highlight: true } },
    { query: { text: 'riv' }, options: { prefix: true, attrs: ['title'] } },
  ] satisfies { query: Query; options: QuestionOptions }[]
}

/** Checks that a store answers like the store in the folder, and that the latter answers like the model. */
async function expectSame(found: Nidus) {
  await using truth = await Nidus.open(store, { readOnly: true })
  expect(await found.getText('docs')).toEqual(await truth.getText('docs'))
  for (const { query, options } of questions()) {
    const hits = await truth.search(query, options)
    const got = await found.search(query, options)
    expect([got, got.facets]).toEqual([hits, hits.facets])
    expect(got.length).toBeGreaterThan(0)
    if (Object.keys(options).length === 0) sameAnswer(got, model.search(query), 10)
  }
}

describe('words in a static store', () => {
  it.each<[string, Ways, StaticOptions]>([
    ['in full', {}, {}],
    ['in compact memory, by ranges', {}, { memory: 'compact' }],
    ['from a server without ranges that compresses', { ranges: false, gzip: true }, {}],
  ])('are found as in the store itself: %s', async (_, ways, options) => {
    const server = await serveStatic(directory('/index/', store), ways)
    const db = await Nidus.fromStatic(`${server.origin}index`, options)
    for (let i = 0; i < 3; i++) await expectSame(db)
    if (options.memory === 'compact') expect(server.asked.some(({ status }) => status === 206)).toBe(true)
    expect(await codeOf(() => db.setText('docs', 'body'))).toBe('READ_ONLY')
    expect(await codeOf(() => db.search({ text: 'river' }, { collections: 'plain' }))).toBe('INVALID_ARGUMENT')
    await expectSame(db)
    await db.close()
    expect(await codeOf(() => db.search({ text: 'river' }))).toBe('CLOSED')
    await server.stop()
  })

  it('are found in a store that was exported, and in Blobs', async () => {
    await using db = await Nidus.open(store, { readOnly: true })
    await (await Nidus.import(join(root, 'copy'), db.export())).close()
    for (const dir of [store, join(root, 'copy')]) {
      const blob = (name: string) => new Blob([readFileSync(join(dir, name))])
      const found = await Nidus.fromStatic({ data: blob('data'), log: blob('log') })
      await expectSame(found)
      await found.close()
    }
  })

  it('are found in a page', async () => {
    const TYPES: Record<string, string> = { js: 'text/javascript', wasm: 'application/wasm' }
    const script =
      '<!doctype html><script type="module">import { Nidus } from "/dist/browser.js"; globalThis.Nidus = Nidus</script>'
    const site = await serveStatic(directory('/index/', store), {}, (path) => {
      if (path === '/page.html') return { type: 'text/html', bytes: Buffer.from(script) }
      if (path === '/favicon.ico') return { type: 'image/x-icon', bytes: Buffer.alloc(0) }
      return path.startsWith('/dist/')
        ? { type: TYPES[path.split('.').at(-1)!] ?? 'text/plain', bytes: readFileSync(join(repository, path)) }
        : undefined
    })
    const browser = await openBrowser(join(root, 'profile'))
    try {
      const page = await browser.context.newPage()
      await page.goto(`${site.origin}page.html`)
      await page.waitForFunction(() => 'Nidus' in globalThis)
      await using truth = await Nidus.open(store, { readOnly: true })
      for (const options of [{}, { memory: 'compact' }, { cache: 'opfs' }] as object[]) {
        const asked = questions().map(({ query, options }) => ({
          query: { ...query, ...('vector' in query && { vector: Array.from(query.vector!) }) },
          options: options as QuestionOptions,
        }))
        const found = await page.evaluate(
          async ({ options, asked }) => {
            const { Nidus } = globalThis as unknown as { Nidus: typeof import('nidus-wasm').Nidus }
            const db = await Nidus.fromStatic(new URL('index/', location.href), options)
            const answers = []
            for (const { query, options } of asked) answers.push(JSON.stringify(await db.search(query, options)))
            await db.close()
            return answers
          },
          { options, asked },
        )
        for (const [i, { query, options }] of asked.entries())
          expect(JSON.parse(found[i]!)).toEqual(JSON.parse(JSON.stringify(await truth.search(query, options))))
      }
    } finally {
      await browser.context.close()
      await site.stop()
    }
  })
})
