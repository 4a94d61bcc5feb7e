// Tests searches for words in a Durable Object of a real workerd that is stopped, killed and started again.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Nidus, type Attrs } from 'nidus-wasm'
import { afterAll, expect, it } from 'vitest'
import { temporaryFolder } from '../common/folder'
import { random } from '../common/model'
import { bundle, serve, type Served } from './harness.mjs'

const directory = temporaryFolder('do-words')
let served: Served | undefined
afterAll(() => served?.kill())

const WORDS = 'river stone cloud amber field glass north cedar'.split(' ')
const r = random(11)
const records = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => {
    const text = () => Array.from({ length: 1 + r.int(6) }, () => r.pick(WORDS)).join(' ')
    const attrs: Attrs = { title: text(), body: text(), kind: r.pick(['a', 'b']) }
    return { id: `r${from + i}`, vector: Array.from(r.vector(8)), attrs }
  })

it('words, vectors and updates are found in a Durable Object as in files, also after it is killed', async () => {
  await bundle(directory, fileURLToPath(new URL('./words-worker.mjs', import.meta.url)))
  served = await serve(directory)
  const db = await Nidus.open(join(directory, 'files'), { dimension: 8 })
  /** Calls a method of the object's store and of a store in files, and compares the answers. */
  const both = async (
    method: 'setText' | 'upsert' | 'update' | 'delete' | 'getText' | 'search',
    ...args: unknown[]
  ) => {
    const response = await fetch(served!.url, { method: 'POST', body: JSON.stringify([method, ...args]) })
    const told = (await response.json()) as { answer: unknown; facets?: unknown }
    const here = (await (db[method] as (...args: unknown[]) => Promise<unknown>).call(db, ...args)) ?? null
    const facets = (here as { facets?: unknown } | null)?.facets
    expect(told).toEqual(JSON.parse(JSON.stringify({ answer: here, facets })))
    return here as { id: string }[]
  }
  const ask = async () => {
    for (let i = 0; i < 8; i++) {
      const text = `${r.pick(WORDS)} ${r.pick(WORDS)}`
      const vector = Array.from(r.vector(8))
      const found = await both('search', { text, vector }, { topK: 20, highlight: true, facets: { kind: {} } })
      expect(found.length).toBeGreaterThan(0)
      await both('search', { text }, { topK: 20, filter: { kind: 'a' }, match: 'all', groupBy: 'kind' })
    }
  }
  await both('setText', 'docs', { title: { weight: 2 }, body: {} })
  await both('upsert', 'docs', records(0, 60))
  await ask()
  for (const end of ['stop', 'kill'] as const) {
    await both('update', 'docs', [{ id: 'r3', attrs: { title: `zenith ${end}` } }])
    const question = { text: `zenith ${end}`, vector: Array(8).fill(1) }
    expect((await both('search', question, { fusion: { text: 0.9 } }))[0]!.id).toBe('r3')
    await both('delete', 'docs', ['r5', 'r6'])
    await both('upsert', 'docs', records(50, 20))
    await served[end]()
    served = await serve(directory)
    await both('getText', 'docs')
    expect((await both('search', { text: `zenith ${end}` }, { match: 'all' })).map(({ id }) => id)).toEqual(['r3'])
    await ask()
  }
  await db.close()
  expect(served.output()).toBe('')
})
