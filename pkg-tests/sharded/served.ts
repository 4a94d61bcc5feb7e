// Runs a real workerd with the objects of sharded stores for the tests of one file, and sends calls to it.
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll } from 'vitest'
import { temporaryFolder } from '../common/folder'
import { bundle, serve, type Served } from '../workerd/harness.mjs'

export interface On {
  store?: string
  client?: number
  shards?: number
  dimension?: number
  timeout?: number
}
type Outcome = { ok?: any; error?: { code: string; message: string; shards?: number[] } }

/**
 * Starts workerd before the tests of the file and ends it after them. `defaults` are the options of calls that do not
 * have their own.
 */
export function shardedIn(of: string, defaults: On) {
  const root = temporaryFolder(of)
  let served: Served
  const start = async () =>
    void (served = await serve(root, { objects: { Router: true, Shard: true }, date: '2026-05-03' }))
  beforeAll(async () => {
    await bundle(root, fileURLToPath(new URL('./worker.mjs', import.meta.url)))
    await start()
  })
  afterAll(() => served?.kill())

  async function ask(on: On, method: string, ...args: unknown[]): Promise<Outcome> {
    const { store, client = 0, ...options } = { ...defaults, ...on }
    const plain = JSON.stringify({ store, client, method, args, options }, (_, value) =>
      value instanceof Float32Array ? Array.from(value) : value,
    )
    return (await fetch(served.url, { method: 'POST', body: plain })).json() as Promise<Outcome>
  }
  async function call(on: On, method: string, ...args: unknown[]) {
    const { ok, error } = await ask(on, method, ...args)
    if (error) throw new Error(`${method}: ${error.code}: ${error.message}`)
    return ok
  }
  return { start, ask, call, served: () => served }
}
