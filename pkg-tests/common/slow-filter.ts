import { expect } from 'vitest'
import type { Filter, Nidus } from 'nidus-wasm'

const ROWS = 6000
let asked = 0
/**
 * Returns a slow filter: 120 globs over texts of a hundred characters. None of them matches. Each filter is a new one,
 * because the core remembers what a filter matched.
 */
const slow = (): Filter =>
  ({
    $or: Array.from({ length: 120 }, (_, i) => ({
      text: { $glob: `*${asked++}x${i}*${i % 2 ? '[ab]?[bc]' : 'b?a'}q*` },
    })),
  }) as Filter

export async function fill(db: Nidus) {
  const ids = Array.from({ length: ROWS }, (_, i) => `${i}`)
  const vectors = Float32Array.from({ length: ROWS * db.dimension }, (_, i) => 1 + (i % 7))
  await db.upsert('c', { ids, vectors, attrs: ids.map((id) => ({ text: `${id} ${'abc'.repeat(33)}` })) })
}

const calls: { [method: string]: (db: Nidus, filter: Filter, signal?: AbortSignal) => Promise<unknown> } = {
  search: (db, filter, signal) => db.search(new Float32Array(db.dimension).fill(1), { filter, signal: signal! }),
  count: (db, filter, signal) => db.count('c', filter, { signal: signal! }),
  records: (db, filter, signal) => db.records('c', { filter, signal: signal! }).next(),
  deleteWhere: (db, filter, signal) => db.deleteWhere('c', { $not: filter } as Filter, { signal: signal! }),
}
export const methods = Object.keys(calls)

/**
 * Checks that a signal ends a call with a slow filter early. `turn` makes a call that is answered only between two
 * slices of that work. The number of its answers, and not the time, shows that the work paused for others and ended
 * early.
 */
export async function endsBySignal(method: string, db: Nidus, turn: () => Promise<unknown>) {
  const until = async (call: Promise<unknown>, after: (turns: number) => void) => {
    let over = false
    const outcome = call
      .then(
        () => 'answered',
        ({ code }: { code: string }) => code,
      )
      .finally(() => (over = true))
    let turns = 0
    for (; !over; after(++turns)) await turn()
    return { outcome: await outcome, turns }
  }
  // First the work runs to its end, to count the answers that others get. (A count does the same work as a deletion.)
  const whole = await until(calls[method === 'deleteWhere' ? 'count' : method]!(db, slow()), () => {})
  expect(whole.outcome).toBe('answered')
  expect(whole.turns).toBeGreaterThan(8)
  const abort = new AbortController()
  const ended = await until(calls[method]!(db, slow(), abort.signal), (turns) => turns === 2 && abort.abort())
  expect(ended.outcome).toBe('ABORTED')
  expect(ended.turns).toBeLessThan(whole.turns / 2)
  // A write waits for all earlier calls. A call that was given up must not delay it.
  const behind = await until(db.setMeta('c', { asked: `${asked}` }), () => {})
  expect(behind.outcome).toBe('answered')
  expect(behind.turns).toBeLessThan(whole.turns / 2)
  expect(await db.count('c')).toBe(ROWS)
}
