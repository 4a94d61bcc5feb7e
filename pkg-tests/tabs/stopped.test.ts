// The leader's tab is stopped from outside, as a debugger or the operating system may do. Then it does not answer, but
// keeps its lock.
import { describe, expect, it } from 'vitest'
import type { Page } from 'playwright'
import { browser, site, visit } from './pages.mjs'
import { goOn, processOf, stop } from './stop.mjs'
import { timesWritten } from './stress.mjs'

type Calls = Record<'upsert' | 'delete' | 'search' | 'count' | 'close', (...args: unknown[]) => Promise<unknown>>
interface Tab {
  store: Calls
  asked: Record<string, Promise<unknown>>
  nidus: { Nidus: { open(name: string, options: object): Promise<Calls> } }
}

const open = (page: Page, name: string, storage: string, tick: number) =>
  page.evaluate(
    async ([name, storage, tick]) => {
      const tab = window as unknown as Tab
      tab.asked = {}
      const worker = () => new Worker(`/worker-of-${tick}.js`, { type: 'module' })
      tab.store = await tab.nidus.Nidus.open(name as string, { dimension: 2, storage, worker })
    },
    [name, storage, tick] as const,
  )

/** Makes a call and does not wait for it. With `aborted`, the call is aborted in the same turn. */
const ask = (page: Page, id: string, aborted = false) =>
  page.evaluate(
    ([id, aborted]) => {
      const { asked, store } = window as unknown as Tab
      const abort = new AbortController()
      const wait = store.upsert('c', [{ id, vector: [1, 2] }], { signal: abort.signal })
      asked[id as string] = wait.catch((error: { code?: string }) => error.code ?? String(error))
      if (aborted) abort.abort()
    },
    [id, aborted] as const,
  )
const outcome = (page: Page, id: string) => page.evaluate((id) => (window as unknown as Tab).asked[id], id)
const call = (page: Page, method: keyof Calls, ...args: unknown[]) =>
  page.evaluate(
    ([method, args]) =>
      (window as unknown as Tab).store[method as keyof Calls](...(args as unknown[])).then(
        (value) => value,
        (error: { code?: string }) => error.code ?? String(error),
      ),
    [method, args] as const,
  )

interface Two {
  a: Page
  b: Page
  pid: number
  name: string
  times(): Promise<Map<string, number>>
}
async function two(kind: 'chromium' | 'firefox', storage: string, tick: number, work: (tabs: Two) => Promise<void>) {
  const place = await site()
  const machine = await browser(kind)
  let pid: number | undefined
  try {
    const name = `stopped ${storage}`
    const [a, b] = [await visit(machine.context, place.url), await visit(machine.context, place.url)]
    await open(a, name, storage, tick)
    await open(b, name, storage, tick)
    expect(await call(b, 'upsert', 'c', [{ id: 'before', vector: [1, 2] }])).toBe(1)
    pid = await processOf(machine.profile, a)
    expect(await processOf(machine.profile, b), 'both tabs are of one process: this test says nothing').not.toBe(pid)
    await work({ a, b, pid: pid, name, times: async () => new Map(await b.evaluate(timesWritten, { name, storage })) })
  } finally {
    if (pid) {
      try {
        goOn(pid)
      } catch {
        // The process has ended.
      }
    }
    await machine.close()
    await place.close()
  }
}

/**
 * Stops the leader's tab. Then a follower makes three writes. One is sent and still waits, one is aborted, and one is
 * held back, because the follower has noticed that the leader does not answer.
 */
async function stopAndAsk(b: Page, pid: number) {
  await stop(pid)
  await ask(b, 'sent')
  await ask(b, 'given up', true)
  expect(await outcome(b, 'given up')).toBe('OUTCOME_UNKNOWN')
  await ask(b, 'held')
}

const places = [
  ['chromium', 'opfs'],
  ['chromium', 'indexeddb'],
  ['firefox', 'opfs'],
] as const

describe.runIf(process.platform === 'linux')('a leader is stopped from outside', () => {
  for (const [kind, storage] of places) {
    it(
      `and continued: a follower's writes in the meantime are made once, and a signal ends its wait (${kind}, ` +
        `${storage})`,
      async () => {
        await two(kind, storage, 1000, async ({ b, pid, times }) => {
          await stopAndAsk(b, pid)
          await ask(b, 'not wanted', true)
          expect(await outcome(b, 'not wanted')).toBe('ABORTED')
          goOn(pid)
          expect([await outcome(b, 'sent'), await outcome(b, 'held')]).toEqual([1, 1])
          const written = await times()
          expect([written.get('sent'), written.get('held'), written.get('not wanted')]).toEqual([1, 1, undefined])
          const late = written.get('given up') ?? 0
          expect(late).toBeLessThan(2)
          expect(await call(b, 'delete', 'c', ['sent', 'held', 'not wanted', 'given up', 'before'])).toBe(3 + late)
        })
      },
    )

    it(`for long: every wait of a follower ends with a code that is true (${kind}, ${storage})`, async () => {
      await two(kind, storage, 100, async ({ b, pid, times }) => {
        await stop(pid)
        await ask(b, 'sent')
        expect(await call(b, 'search', [1, 2])).toBe('STORAGE_UNAVAILABLE')
        expect(await outcome(b, 'sent')).toBe('OUTCOME_UNKNOWN')
        // From now on the follower sends nothing to the leader.
        expect(await call(b, 'upsert', 'c', [{ id: 'held', vector: [1, 2] }])).toBe('STORAGE_UNAVAILABLE')
        expect(await call(b, 'count')).toBe('STORAGE_UNAVAILABLE')
        goOn(pid)
        // A second is short here. So on a busy machine the leader may still seem silent for a while.
        let after: unknown
        for (let n = 0; typeof after !== 'number' && n < 20; n++)
          after = await call(b, 'upsert', 'c', [{ id: 'after', vector: [1, 2] }])
        expect(after).toBe(1)
        const written = await times()
        expect(written.get('held')).toBeUndefined()
        const late = written.get('sent') ?? 0
        expect(late).toBeLessThan(2)
        expect(await call(b, 'delete', 'c', ['sent', 'held', 'before'])).toBe(1 + late)
      })
    })

    // If a process of an unmodified Firefox is killed, its driver also loses the pages of all other processes.
    it.runIf(kind === 'chromium')(
      `and then killed: a follower's waiting writes are made once by the next leader (${kind}, ${storage})`,
      async () => {
        await two(kind, storage, 1000, async ({ b, pid, times }) => {
          await stopAndAsk(b, pid)
          process.kill(pid, 'SIGKILL')
          expect([await outcome(b, 'sent'), await outcome(b, 'held')]).toEqual([1, 1])
          const written = await times()
          expect([written.get('sent'), written.get('held')]).toEqual([1, 1])
          expect(await call(b, 'delete', 'c', ['sent', 'held', 'before'])).toBe(3)
          expect(await call(b, 'close')).toBeUndefined()
        })
      },
    )
  }
})
