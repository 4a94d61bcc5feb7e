import { afterEach, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { failingHost as host } from '../common/failing-host'

const realFetch = globalThis.fetch
const isRest = (url: unknown) => String(url).includes('/nidus-rest')
afterEach(() => void (globalThis.fetch = realFetch))

const records = [
  { id: 'a', vector: [1, 0], attrs: { n: 1 } },
  { id: 'b', vector: [0, 1], attrs: { n: 2 } },
]

// The core of this page is loaded once, so these tests follow each other.

it('does without the rest of the wasm until it is needed, and survives that it cannot be loaded', async () => {
  const fetched: string[] = []
  let answer = async () => new Response('', { status: 404 })
  globalThis.fetch = (input, init) => {
    if (!isRest(input)) return realFetch(input, init)
    fetched.push(String(input))
    return answer()
  }
  const db = await Nidus.open('x', {
    dimension: 2,
    storage: host({ data: new Uint8Array(), log: new Uint8Array() }).own,
  })
  await db.upsert('c', records)
  expect((await db.search([1, 0], { topK: 1 }))[0]!.id).toBe('a')
  expect(await db.count('c')).toBe(2)
  expect(await db.get('c', 'a')).toMatchObject({ attrs: { n: 1 } })
  expect(await db.delete('c', ['none'])).toBe(0)
  await db.footprint()
  expect(fetched).toEqual([])

  const refused = { code: 'FAILED', message: expect.stringMatching(/nidus-rest.*404.*nidus-page\.wasm/) }
  for (const call of [
    () => db.search([1, 0], { topK: 1, filter: { n: 1 } }),
    () => db.count('c', { n: 1 }),
    () => db.update('c', [{ id: 'a', attrs: { n: 5 } }]),
    () => db.deleteWhere('c', { n: 1 }),
    () => db.setMeta('c', { k: 'v' }),
    () => db.dropCollection('c'),
    () => db.compact(),
    () => db.list('c'),
  ]) {
    const before = fetched.length
    await expect(call()).rejects.toMatchObject(refused)
    expect(fetched.length).toBe(before + 1)
  }
  // A call that waited behind one that failed is carried out.
  const [failed, made] = await Promise.allSettled([
    db.update('c', [{ id: 'a', attrs: { n: 5 } }]),
    db.upsert('c', [{ id: 'd', vector: [1, 1], attrs: { n: 4 } }]),
  ])
  expect(failed).toMatchObject({ status: 'rejected', reason: refused })
  expect(made).toMatchObject({ status: 'fulfilled' })

  // A file of another build is refused, too.
  answer = () => realFetch(new URL('../../dist/nidus-page.wasm', import.meta.url))
  await expect(db.compact()).rejects.toMatchObject({ message: expect.stringContaining('another build') })
  await db.close()
})

it('keeps the order of the calls while the rest is loaded, and finishes them before it closes', async () => {
  let go = () => {}
  const gate = new Promise<void>((resolve) => (go = resolve))
  let fetched = 0
  globalThis.fetch = async (input, init) => {
    if (isRest(input)) {
      fetched++
      await gate
    }
    return realFetch(input, init)
  }
  const at = host({ data: new Uint8Array(), log: new Uint8Array() })
  const db = await Nidus.open('y', { dimension: 2, storage: at.own })
  await db.upsert('c', records)
  const said: string[] = []
  const told = <T>(name: string, work: Promise<T>) => work.then((value) => (said.push(name), value))
  const answers = Promise.all([
    told('deleted', db.deleteWhere('c', { n: 1 })),
    told('counted', db.count('c')),
    told('put', db.upsert('c', [{ id: 'c', vector: [1, 0], attrs: { n: 3 } }])),
    told('updated', db.update('c', [{ id: 'c', attrs: { n: 4 } }])),
    told('found', db.search([1, 0], { topK: 9, filter: { n: { $gt: 1 } } })),
    told('closed', db.close()),
  ])
  await expect.poll(() => fetched).toBe(1)
  await expect(db.count('c')).rejects.toMatchObject({ code: 'CLOSED' })
  expect(said).toEqual([])
  go()
  const [deleted, counted, , , found] = await answers
  expect(deleted).toBe(1)
  // A read sees at least the writes that ended before it was called.
  expect([1, 2]).toContain(counted)
  expect(found.length).toBeGreaterThan(0)
  expect(said.at(-1)).toBe('closed')
  expect(said.length).toBe(6)
  const again = await Nidus.open('y', { storage: at.own })
  expect((await again.list('c')).map(({ id, attrs }) => [id, attrs.n])).toEqual([
    ['b', 2],
    ['c', 4],
  ])
  expect(fetched).toBe(1)
  await again.close()
})

it('is fetched by the worker of an ordinary store when a filter is first used', async () => {
  const channel = new BroadcastChannel('rest-test')
  const fetched: string[] = []
  channel.onmessage = ({ data }) => fetched.push(data)
  const patch = `
    const real = fetch, channel = new BroadcastChannel('rest-test')
    self.fetch = (input, init) => (channel.postMessage(String(input)), real(input, init))`
  const start = (whole: boolean) => {
    const worker = new URL(`../../dist/worker${whole ? '' : '-opfs'}.js`, import.meta.url).href
    const script = `import ${JSON.stringify(`data:text/javascript,${encodeURIComponent(patch)}`)}\nimport '${worker}'`
    return new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), { type: 'module' })
  }
  const name = `rest-${Date.now()}`
  const db = await Nidus.open(name, { dimension: 2, worker: start })
  await db.upsert('c', records)
  expect((await db.search([1, 0], { topK: 1 }))[0]!.id).toBe('a')
  await expect.poll(() => fetched.length).toBeGreaterThan(0)
  expect(fetched.every((url) => /\/nidus-first(-relaxed)?\.wasm$/.test(url))).toBe(true)
  expect((await db.search([1, 0], { topK: 2, filter: { n: 2 } })).map(({ id }) => id)).toEqual(['b'])
  await db.compact()
  await expect.poll(() => fetched.filter(isRest).length).toBe(1)
  await db.close()
  await Nidus.destroy(name)
  channel.close()
})
