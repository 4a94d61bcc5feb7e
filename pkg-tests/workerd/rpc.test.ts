// Tests the errors of a store in a Durable Object as they arrive over RPC, with an older and with a newer compatibility
// date.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../common/folder'
import { bundle, serve, type Served } from './harness.mjs'

const root = temporaryFolder('rpc')

describe.each([
  ['2026-05-03', true, []],
  ['2025-01-01', false, []],
  ['2025-01-01', true, ['enhanced_error_serialization']],
] as const)('over RPC, compatibility date %s, whole %s', (date, whole, flags) => {
  let served: Served
  beforeAll(async () => {
    const directory = join(root, `${date} ${whole}`)
    await bundle(directory, fileURLToPath(new URL('./rpc-worker.mjs', import.meta.url)))
    served = await serve(directory, { objects: { Store: true, Router: true, Shard: true }, date, flags: [...flags] })
  })
  afterAll(() => served?.kill())
  const call = async (...what: unknown[]) =>
    (await fetch(served.url, { method: 'POST', body: JSON.stringify(what) })).json() as Promise<Record<string, unknown>>

  it('results arrive unchanged', async () => {
    expect(await call('upsert', [{ id: 'sea', vector: [0.9, 0.1, 0] }])).toEqual({ ok: 1 })
    expect(await call('search', [1, 0, 0], { topK: 1 })).toMatchObject({ ok: [{ id: 'sea' }] })
  })

  it.each([
    ['search', [[1, 2]], 'DIMENSION_MISMATCH', 'NidusError'],
    ['search', [[1, 2, 3], { topK: -1 }], 'INVALID_ARGUMENT', 'NidusError'],
    ['locked', [], 'LOCKED', 'NidusError'],
    ['sharded', [[1, 2]], 'DIMENSION_MISMATCH', 'NidusError'],
  ])('%s %j: its code is told', async (method, args, code, name) => {
    const error = await call(method, ...args)
    expect(error.code).toBe(code)
    if (whole) expect(error).toMatchObject({ own: code, name, message: expect.not.stringContaining(code) as string })
    else expect(error.message).toMatch(new RegExp(`^${name}: ${code}: `))
  })

  it('an error that is not from a store has no code', async () => {
    expect(await call('none')).toMatchObject({ code: null })
  })
})
