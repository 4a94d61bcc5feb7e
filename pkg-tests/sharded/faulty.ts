// Sharded stores in a real workerd. A test can make calls of shards fail, lose their answers, or hold them back.
import { placeOf } from '../../src/ts/sharded/layout'
import { random } from '../common/model'
import { until } from '../common/until'
import { shardedIn, type On } from './served'

export const D = 8
export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
export const settledWithin = async <T>(work: Promise<T>, ms: number) =>
  Promise.race([work, sleep(ms).then(() => 'too late' as const)])
export const record = (id: string, version: number) => ({
  id,
  vector: random(version * 7 + id.length).vector(D),
  attrs: { version },
})
export const idsOf = (count: number) => Array.from({ length: count }, (_, n) => String(n).padStart(6, '0'))

/** Starts workerd for the tests of a file. Returns functions that call stores and make faults. */
export function faulty(name: string) {
  const { start, ask, call, served } = shardedIn(name, { dimension: D, shards: 1 })
  const fault = (
    store: string,
    index: number,
    method: string,
    kind?: 'fail' | 'lose' | 'hold' | 'late' | 'keep' | 'pass',
  ) => call({ store }, 'fault', store, index, method, kind)
  const met = (store: string, index: number, method: string) =>
    until(
      `${method} to reach shard ${index} of ${store}`,
      async () => (await call({ store }, 'met', store, index, method)) > 0,
    )
  /**
   * Starts a growth to two shards, and holds it back before its first move. Returns the call, and the id of a record
   * that will move.
   */
  async function growing(on: On & { store: string }) {
    const ids = idsOf(60)
    await fill(on, ids)
    await fault(on.store, 0, 'move', 'hold')
    const grown = ask({ ...on, client: 9 }, 'grow', 2)
    await met(on.store, 0, 'move')
    return { grown, moving: ids.find((id) => placeOf('c', id, 2) === 1)! }
  }
  async function fill(on: On, ids: string[], version = 0) {
    for (let at = 0; at < ids.length; at += 1000)
      await call(
        on,
        'upsert',
        'c',
        ids.slice(at, at + 1000).map((id) => record(id, version)),
      )
  }
  return { start, ask, call, served, fault, met, growing, fill }
}
