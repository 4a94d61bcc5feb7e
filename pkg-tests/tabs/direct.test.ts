// The reads of a follower, which go from its page to the leader's worker, past its own.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright'
import { browser, site, visit } from './pages.mjs'
import { goOn, processOf, stop } from './stop.mjs'

type Calls = Record<string, (...args: unknown[]) => Promise<unknown>>
interface Tab {
  store: Calls & { records(collection: string): AsyncIterable<unknown> }
  /** How many messages this page has sent to workers. */
  sent: number
  /** The last of them. */
  last: string
  wait: Promise<string>
  nidus: { Nidus: { open(name: string, options: object): Promise<Tab['store']> } }
}

const open = (page: Page, name: string, storage: string, alone = false, more: object = {}) =>
  page.evaluate(
    async ([name, storage, alone, more]) => {
      const tab = window as unknown as Tab
      if (alone) Object.assign(window, { SharedWorker: undefined })
      const { postMessage } = Worker.prototype
      tab.sent = 0
      Worker.prototype.postMessage = function (...args: unknown[]) {
        tab.sent++
        tab.last = JSON.stringify(args[0])
        return postMessage.apply(this, args as never)
      }
      tab.store = await tab.nidus.Nidus.open(name as string, { dimension: 2, storage, ...more })
    },
    [name, storage, alone, more] as const,
  )
const call = (page: Page, method: string, ...args: unknown[]) =>
  page.evaluate(
    ([method, args]) =>
      (window as unknown as Tab).store[method as string](...(args as unknown[])).then(
        (value) => value,
        (error: { code?: string }) => error.code ?? String(error),
      ),
    [method, args] as const,
  )
const upsert = (page: Page, ...ids: string[]) =>
  call(
    page,
    'upsert',
    'c',
    ids.map((id, i) => ({ id, vector: [1, i], attrs: { n: i, title: `the word ${id}` } })),
  )

/** Waits until this page reads past its worker. */
const untilDirect = (page: Page) =>
  page.evaluate(async () => {
    const tab = window as unknown as Tab
    for (let before = -1; before !== tab.sent;) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      before = tab.sent
      await tab.store.count()
    }
  })

/** Makes reads of all kinds. Returns their results, and how many messages went to this page's worker. */
const readAll = (page: Page) =>
  page.evaluate(async () => {
    const { store } = window as unknown as Tab
    const tab = window as unknown as Tab
    const before = tab.sent
    const records = []
    for await (const record of store.records('c')) records.push(record)
    const plain = (value: unknown) => JSON.stringify(value, (key, value: unknown) => (key === 'took' ? 0 : value))
    const read = [
      await store.search([1, 1], { topK: 3 }),
      await store.search([1, 1], { filter: { n: { $gt: 1 } } }),
      await store.searchMany([
        [1, 0],
        [0, 1],
      ]),
      await store.search({ text: 'word' }),
      await store.similar('c', 'b'),
      await store.get('c', ['b', 'none']),
      await store.getMeta('c'),
      await store.getMeta('none').catch(({ code, message }) => [code, message]),
      await store.count(),
      await store.collections(),
      await store.hasCollection('c'),
      await store.list('c'),
      records,
    ]
    return { read: read.map(plain), sent: tab.sent - before }
  })

type Machine = Awaited<ReturnType<typeof browser>>

/** Runs a test in pages of a browser, and closes them. */
async function tabs(machine: Machine, url: string, work: (more: () => Promise<Page>) => Promise<void>) {
  const pages: Page[] = []
  try {
    await work(async () => {
      const page = await visit(machine.context, url)
      pages.push(page)
      return page
    })
  } finally {
    for (const page of pages) await page.close()
  }
}

/** Opens a leader with one record and then a follower, and waits until the follower reads past its worker. */
async function two(more: () => Promise<Page>, name: string, leading: object = {}): Promise<[Page, Page]> {
  const [a, b] = [await more(), await more()]
  await open(a, name, 'opfs', false, leading)
  await upsert(a, 'first')
  await open(b, name, 'opfs')
  await untilDirect(b)
  return [a, b]
}

let place: Awaited<ReturnType<typeof site>>
beforeAll(async () => void (place = await site()))
afterAll(() => place.close())

for (const kind of ['chromium', 'firefox'] as const) {
  describe(`the reads of a follower (${kind})`, () => {
    let machine: Machine
    beforeAll(async () => void (machine = await browser(kind)))
    afterAll(() => machine?.close())

    for (const storage of ['opfs', 'indexeddb']) {
      it(`go past its worker, answer as the leader does, and see every write (${storage})`, () =>
        tabs(machine, place.url, async (more) => {
          const [a, b] = [await more(), await more()]
          await open(a, `direct ${storage}`, storage)
          await upsert(a, 'a', 'b', 'c', 'd')
          await call(a, 'setText', 'c', ['title'])
          await open(b, `direct ${storage}`, storage)
          await untilDirect(b)
          const [leader, follower] = [await readAll(a), await readAll(b)]
          expect(leader.sent).toBeGreaterThan(0)
          expect(follower).toEqual({ read: leader.read, sent: 0 })
          for (let n = 0; n < 20; n++) {
            await upsert(n % 2 ? a : b, `more ${n}`)
            expect(await call(b, 'count')).toBe(5 + n)
          }
          expect(await call(b, 'close')).toBeUndefined()
          expect(await call(b, 'count')).toBe('CLOSED')
          expect(await call(a, 'count')).toBe(24)
        }))
    }

    it('are answered while leaders are closed, and then go past its worker again', () =>
      tabs(machine, place.url, async (more) => {
        const pages = [await more(), await more(), await more()]
        for (const page of pages) await open(page, 'leaders', 'opfs')
        await upsert(pages[0], 'first')
        for (let n = 0; n < 4; n++) {
          const [leader, , last] = pages
          await untilDirect(last)
          await last.evaluate(() => {
            const tab = window as unknown as Tab
            const acknowledged = { count: 0 }
            const read = async () => {
              for (let i = 0; i < 300; i++) {
                const least = acknowledged.count
                const count = (await tab.store.count('c', { n: { $gt: 99 } })) as number
                if (!(count >= least)) return `${count} records, and ${least} were acknowledged`
              }
              return 'read'
            }
            const write = async () => {
              const base = (await tab.store.count('c', { n: { $gt: 99 } })) as number
              for (let i = 0; i < 30; i++) {
                await tab.store.upsert('c', [{ id: crypto.randomUUID(), vector: [1, 2], attrs: { n: 100 } }])
                acknowledged.count = base + i + 1
              }
            }
            tab.wait = Promise.all([read(), read(), write()])
              .then(([one, two]) => `${one}, ${two}`)
              .catch((error: { code?: string }) => error.code ?? String(error))
          })
          if (n % 2) await leader.close()
          else await call(leader, 'close')
          expect(await last.evaluate(() => (window as unknown as Tab).wait)).toBe('read, read')
          pages.shift()
          pages.push(n % 2 ? await more() : leader)
          await open(pages[2], 'leaders', 'opfs')
        }
        expect(await call(pages[2], 'count')).toBe(1 + 4 * 30)
      }))

    it('are the same if they are large, past its worker and through it', () =>
      tabs(machine, place.url, async (more) => {
        const [a, b, c] = [await more(), await more(), await more()]
        await open(a, 'large', 'opfs', false, { dimension: 64 })
        await a.evaluate(async () => {
          const count = 20_000
          const ids = Array.from({ length: count }, (_, i) => `record ${i}`)
          const vectors = Float32Array.from({ length: count * 64 }, (_, i) => Math.sin(i))
          await (window as unknown as Tab).store.upsert('c', { ids, vectors, attrs: ids.map((title) => ({ title })) })
        })
        await call(a, 'setText', 'c', ['title'])
        await open(b, 'large', 'opfs', false, { dimension: 64 })
        await open(c, 'large', 'opfs', true, { dimension: 64 })
        await untilDirect(b)
        const large = (page: Page) =>
          page.evaluate(async () => {
            const { store } = window as unknown as Tab
            const vector = Array.from({ length: 64 }, (_, i) => Math.cos(i))
            const all = { topK: 17_000, withVectors: true }
            const answers = [
              await store.search(vector, all),
              await store.search({ vector, text: 'record' }, all),
              await store.list('c', { limit: 17_000, withVectors: true }),
            ] as { id: string; score?: number; vector: Float32Array }[][]
            const sums = answers.map((hits) =>
              hits.reduce((sum, { score = 1, vector }, i) => sum + (i + 1) * score * (vector[0]! + vector[63]!), 0),
            )
            return [answers.map((hits) => hits.length), sums]
          })
        const leader = await large(a)
        expect(leader[0]).toEqual([17_000, 17_000, 17_000])
        expect(await large(b)).toEqual(leader)
        expect(await large(c)).toEqual(leader)
      }))

    it('go past its worker if the leader needs another worker script', () =>
      tabs(machine, place.url, async (more) => {
        await two(more, 'scripts', { workers: 2 })
      }))

    it('go past its worker where worker-opfs.js was not copied', async () => {
      const { url, close } = await site({ missing: ['worker-opfs.js'] })
      await tabs(machine, url, async (more) => {
        await two(more, 'whole')
      }).finally(close)
    })

    it('are answered if the port loses them', () =>
      tabs(machine, place.url, async (more) => {
        const [, b] = await two(more, 'losing')
        const counts = await b.evaluate(async () => {
          const { store } = window as unknown as Tab
          MessagePort.prototype.postMessage = () => {}
          const waited = await Promise.all([store.count(), store.count()])
          return [...waited, await store.count()]
        })
        expect(counts).toEqual([1, 1, 1])
      }))

    it('are answered if the port loses them and the follower closes the store', () =>
      tabs(machine, place.url, async (more) => {
        const [, b] = await two(more, 'closing')
        const counts = await b.evaluate(async () => {
          const { store } = window as unknown as Tab
          MessagePort.prototype.postMessage = () => {}
          const counts = Promise.all(Array.from({ length: 20 }, () => store.count()))
          await store.close()
          return counts
        })
        expect(counts).toEqual(Array.from({ length: 20 }, () => 1))
      }))

    it('go through its worker where a page has no shared workers', () =>
      tabs(machine, place.url, async (more) => {
        const [a, b] = [await more(), await more()]
        await open(a, 'alone', 'opfs', true)
        await upsert(a, 'a', 'b')
        await call(a, 'setText', 'c', ['title'])
        await open(b, 'alone', 'opfs', true)
        const { read, sent } = await readAll(b)
        expect(read).toEqual((await readAll(a)).read)
        expect(sent).toBeGreaterThan(0)
      }))
  })
}

it('a read whose leader is stopped can be aborted, is made once when it goes on, and fails after half a minute', async () => {
  const machine = await browser('chromium')
  await tabs(machine, place.url, async (more) => {
    const [a, b] = await two(more, 'stopped')
    const pid = await processOf(machine.profile, a)
    expect(await processOf(machine.profile, b), 'both tabs are of one process: this test says nothing').not.toBe(pid)
    await stop(pid)
    try {
      const aborted = await b.evaluate(() => {
        const abort = new AbortController()
        const wait = (window as unknown as Tab).store.search([1, 1], { signal: abort.signal })
        setTimeout(() => abort.abort(), 10)
        return wait.catch((error: { code?: string }) => error.code)
      })
      expect(aborted).toBe('ABORTED')
      expect(await call(b, 'count')).toBe('STORAGE_UNAVAILABLE')
      await b.evaluate(async () => {
        const tab = window as unknown as Tab
        const before = tab.sent
        tab.wait = tab.store.count().then(String, (error: { code?: string }) => error.code ?? String(error))
        while (tab.sent === before) await new Promise((resolve) => setTimeout(resolve, 5))
      })
      // Only the question whether the leader answers at all has gone through this page's worker.
      expect(await b.evaluate(() => (window as unknown as Tab).last)).toContain('newest')
    } finally {
      goOn(pid)
    }
    expect(await b.evaluate(() => (window as unknown as Tab).wait)).toBe('1')
    expect(await b.evaluate(() => (window as unknown as Tab).last)).toContain('newest')
    await untilDirect(b)
  }).finally(() => machine.close())
})
