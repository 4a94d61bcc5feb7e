import { expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { D, codeOf, opener, vector, type Place } from './place'

/** Tests opening, aborting, closing and opening again. */
export function lifeTests(place: Place) {
  const open = opener(place)

  it('aborts a write that has not begun', async () => {
    const db = await open()
    expect(await codeOf(() => db.upsert('c', [{ id: 'a', vector: vector(1) }], { signal: AbortSignal.abort() }))).toBe(
      'ABORTED',
    )
    const abort = new AbortController()
    const calls = [
      db.upsert('c', [{ id: 'kept', vector: vector(1) }]),
      db.upsert('c', [{ id: 'gone', vector: vector(1) }], { signal: abort.signal }),
    ]
    abort.abort(new Error('mine'))
    expect((await Promise.allSettled(calls)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    await expect(calls[1]).rejects.toMatchObject({ code: 'ABORTED', cause: abort.signal.reason as Error })
    expect(await db.get('c', ['kept', 'gone'])).toMatchObject([{ id: 'kept' }, undefined])
    expect(await codeOf(() => db.search(vector(1), { signal: abort.signal }))).toBe('ABORTED')
    await db.close()
  })

  it('finishes the calls that it accepted, and refuses calls after close', async () => {
    const db = await open()
    const accepted = db.upsert('c', [{ id: 'a', vector: vector(1) }])
    const closing = db.close()
    expect(db.close()).toBe(closing)
    expect(await codeOf(() => db.upsert('c', []))).toBe('CLOSED')
    expect(await accepted).toBe(1)
    await closing
    expect(await db.closed).toEqual({ reason: 'closed' })
    for (const call of [
      () => db.search(vector(1)),
      () => db.count(),
      () => db.get('c', ['a']),
      () => db.flush(),
      () => db.compact(),
      () => db.footprint(),
      () => db.records('c').next(),
    ]) {
      expect(await codeOf(call)).toBe('CLOSED')
    }
    await db.close()
  })

  if (!place.again) return

  it('acknowledges early with relaxed durability, and is durable after flush or close', async () => {
    const name = place.fresh()
    let db = await open(name, { durability: 'relaxed' })
    await Promise.all(Array.from({ length: 50 }, (_, i) => db.upsert('c', [{ id: `${i}`, vector: vector(1, i) }])))
    await db.flush()
    await db.upsert('c', [{ id: 'last', vector: vector(1) }])
    await db.compact()
    await db.upsert('c', [{ id: 'really', vector: vector(1) }])
    await db.close()
    db = await open(name)
    expect(await db.count()).toBe(52)
    expect(db.recovery.bytes).toBe(0)
    await db.close()
  })

  it('opens a store that exists, and refuses one that does not', async () => {
    const name = place.fresh()
    expect(await codeOf(() => open(name, { readOnly: true }))).toBe('NOT_FOUND')
    expect(await codeOf(() => Nidus.open(name, place.options()))).toBe('INVALID_ARGUMENT')
    const db = await open(name)
    await db.upsert('c', [{ id: 'a', vector: vector(1) }])
    expect(await codeOf(() => open(name, { multiTab: false }))).toBe('LOCKED')
    await db.close()
    expect(await codeOf(() => open(name, { dimension: D + 1 }))).toBe('DIMENSION_MISMATCH')
    const reader = await open(name, { readOnly: true })
    expect(await reader.count()).toBe(1)
    for (const call of [
      () => reader.upsert('c', []),
      () => reader.delete('c', ['a']),
      () => reader.createCollection('x'),
      () => reader.dropCollection('c'),
      () => reader.setMeta('c', {}),
      () => reader.compact(),
    ]) {
      expect(await codeOf(call)).toBe('READ_ONLY')
    }
    await reader.flush()
    const writer = await open(name)
    await writer.upsert('c', [{ id: 'b', vector: vector(0, 1) }])
    expect(await reader.count()).toBe(1)
    await writer.close()
    await reader.close()
  })

  it('compacts at open when enough rows are dead', async () => {
    const name = place.fresh()
    let db = await open(name)
    for (let i = 0; i < 10; i++) await db.upsert('c', [{ id: 'same', vector: vector(1, i) }])
    await db.close()
    db = await open(name, { autoCompact: false })
    expect((await db.footprint()).rows).toBe(10)
    expect(db.recovery.compacted).toBe(false)
    await db.close()
    db = await open(name, { readOnly: true })
    expect((await db.footprint()).rows).toBe(10)
    await db.close()
    db = await open(name)
    expect(db.recovery.compacted).toBe(true)
    expect(await db.footprint()).toMatchObject({ rows: 1, deadRows: 0 })
    await db.close()
    db = await open(name)
    expect(db.recovery.compacted).toBe(false)
    expect((await db.get('c', ['same']))[0]!.vector[1]).toBeGreaterThan(0.9)
    await db.close()
  })
}
