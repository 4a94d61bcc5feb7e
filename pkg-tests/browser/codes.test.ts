import { afterEach, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { failingHost as host } from '../common/failing-host'
import { mulberry32 } from '../common/mulberry32.mjs'

const realFetch = globalThis.fetch
const realWarn = console.warn
const realNow = performance.now
const realTimeout = globalThis.setTimeout
afterEach(() => {
  globalThis.setTimeout = realTimeout
  globalThis.fetch = realFetch
  console.warn = realWarn
  performance.now = realNow
})

const D = 8
const random = mulberry32(19)
const vectorOf = () => Array.from({ length: D }, () => random() - 0.5)
const recordsOf = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({
    id: `r${from + i}`,
    vector: vectorOf(),
    attrs: { n: (from + i) % 3 },
  }))
type Rows = ReturnType<typeof recordsOf>

/** Returns the ids of the five rows that are nearest to the query, by a scan in f64. */
function nearest(rows: Rows, query: number[]) {
  const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0)
  const scored = rows.map(({ id, vector }) => ({ id, score: dot(vector, query) / Math.sqrt(dot(vector, vector)) }))
  return scored
    .sort((a, b) => b.score - a.score)
    .slice(0, 5)
    .map(({ id }) => id)
}
async function expectExact(db: Nidus, rows: Rows) {
  const query = vectorOf()
  expect((await db.search(query, { topK: 5 })).map(({ id }) => id)).toEqual(nearest(rows, query))
}
const files = () => host({ data: new Uint8Array(), log: new Uint8Array() }).own
const coded = async (db: Nidus) => (await db.footprint()).codedRows

const hang = () => new Promise<Response>(() => {})
/** Makes a minute of waiting short. */
function shortMinute() {
  globalThis.setTimeout = ((work: () => void, ms?: number, ...more: unknown[]) =>
    realTimeout(work, ms === 60_000 ? 30 : ms, ...more)) as typeof setTimeout
}

/** The path is a variable. If it were in the template, Vite would load every file that matches. */
const up = '../..'
/** Starts the package's worker, in which nidus-codes.wasm is missing. */
const without = (file: string) => () => {
  const patch = `
    const real = fetch
    self.fetch = (input, init) =>
      String(input).includes('/nidus-codes') ? Promise.resolve(new Response('', { status: 500 })) : real(input, init)`
  const worker = new URL(`${up}/dist/${file}`, import.meta.url).href
  const script = `import ${JSON.stringify(`data:text/javascript,${encodeURIComponent(patch)}`)}\nimport '${worker}'`
  return new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), { type: 'module' })
}

it('leaves nothing of a new store with compact memory if the codes cannot be loaded', async () => {
  for (const [storage, other] of [
    ['opfs', 'indexeddb'],
    ['indexeddb', 'opfs'],
  ] as const) {
    const name = `codes ${Date.now()} ${storage}`
    const worker = without(storage === 'opfs' ? 'worker-opfs.js' : 'worker.js')
    const opened = Nidus.open(name, { dimension: D, storage, memory: 'compact', worker })
    await expect(opened).rejects.toMatchObject({ code: 'FAILED', message: expect.stringMatching(/nidus-codes.*500/) })
    expect((await Nidus.list()).filter((store) => store.name === name)).toEqual([])
    const db = await Nidus.open(name, { dimension: D, storage: other })
    expect(db.storage).toBe(other)
    await db.close()
    await Nidus.destroy(name)
  }
})

// The core of this page is loaded once, so these tests follow each other.

it('does not wait for the codes without end', async () => {
  const warned: unknown[] = []
  console.warn = (...said) => warned.push(...said)
  let fetched = 0
  globalThis.fetch = (input, init) => {
    if (!String(input).includes('/nidus-codes')) return realFetch(input, init)
    fetched++
    return hang()
  }
  // The core is loaded before minutes are short.
  await (await Nidus.open('first', { dimension: D, storage: files() })).close()
  shortMinute()
  const compact = Nidus.open('compact', { dimension: D, storage: files(), memory: 'compact' })
  await expect(compact).rejects.toMatchObject({ code: 'FAILED', message: expect.stringMatching(/nidus-codes.*minute/) })

  const db = await Nidus.open('x', { dimension: D, storage: files() })
  const rows = recordsOf(0, 2000)
  await db.upsert('c', rows)
  await expectExact(db, rows)
  await expect.poll(() => warned.length).toBe(1)
  expect(warned[0]).toMatch(/slow.*nidus-codes.*minute/)
  expect(fetched).toBe(2)
  performance.now = () => realNow.call(performance) + 60_001
  await db.upsert('c', recordsOf(2000, 2001))
  await expect.poll(() => warned.length).toBe(2)
  expect(fetched).toBe(3)
  await db.close()
})

it('fetches the part of the codes once a store has enough rows, and is exact and says so if it is missing', async () => {
  const fetched: string[] = []
  const warned: unknown[] = []
  console.warn = (...said) => warned.push(...said)
  let found = false
  globalThis.fetch = (input, init) => {
    if (!String(input).includes('/nidus-codes')) return realFetch(input, init)
    fetched.push(String(input))
    return found ? realFetch(input, init) : Promise.resolve(new Response('', { status: 404 }))
  }
  await expect(Nidus.open('compact', { dimension: D, storage: files(), memory: 'compact' })).rejects.toMatchObject({
    code: 'FAILED',
    message: expect.stringMatching(/nidus-codes.*404.*nidus-page\.wasm/),
  })
  expect(fetched.length).toBe(1)

  const db = await Nidus.open('x', { dimension: D, storage: files() })
  const rows = recordsOf(0, 1023)
  await db.upsert('c', rows)
  await expectExact(db, rows)
  expect(fetched.length).toBe(1)
  expect(warned).toEqual([])

  // A write tries again if the last try was a minute ago.
  const write = async () => {
    const more = recordsOf(rows.length, rows.length + 100)
    await db.upsert('c', more)
    rows.push(...more)
    await expectExact(db, rows)
  }
  let minutes = 0
  performance.now = () => realNow.call(performance) + minutes * 60_001
  for (let n = 0; n < 3; n++) {
    minutes++
    await write()
    await expect.poll(() => fetched.length).toBe(2 + n)
    await expect.poll(() => warned.length).toBe(1 + n)
    await write()
  }
  for (const said of warned) expect(said).toMatch(/slow.*nidus-codes.*404/)
  expect(await coded(db)).toBe(0)
  expect(fetched.length).toBe(4)

  found = true
  minutes++
  await write()
  await expect.poll(() => coded(db)).toBeGreaterThan(1000)
  await write()
  expect(fetched.length).toBe(5)
  await db.close()
})

it('keeps its promises with all parts: filters, deletions and compaction of a store that has codes', async () => {
  for (const memory of ['full', 'compact'] as const) {
    const storage = files()
    const db = await Nidus.open('y', { dimension: D, storage, memory })
    let rows = recordsOf(0, 6000)
    await db.upsert('c', rows)
    await expect.poll(() => coded(db)).toBeGreaterThan(5000)
    for (let n = 0; n < 5; n++) await expectExact(db, rows)
    const query = vectorOf()
    const ones = rows.filter(({ attrs }) => attrs.n === 1)
    expect((await db.search(query, { topK: 5, filter: { n: 1 } })).map(({ id }) => id)).toEqual(nearest(ones, query))
    await db.deleteWhere('c', { n: 0 })
    rows = rows.filter(({ attrs }) => attrs.n !== 0)
    await expectExact(db, rows)
    await db.compact()
    await expectExact(db, rows)
    await expect.poll(() => coded(db)).toBeGreaterThan(3500)
    await expectExact(db, rows)
    await db.close()
    const again = await Nidus.open('y', { storage, memory })
    await expectExact(again, rows)
    await again.close()
  }
})
