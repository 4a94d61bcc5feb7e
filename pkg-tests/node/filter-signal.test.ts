import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { endsBySignal, fill, methods } from '../common/slow-filter'

describe('an expensive filter', () => {
  let db: Nidus
  let timers = 0
  let timer: ReturnType<typeof setInterval>
  beforeAll(async () => {
    db = await Nidus.open('slow', { storage: 'memory', dimension: 4 })
    await fill(db)
    timer = setInterval(() => timers++, 1)
  })
  afterAll(async () => {
    clearInterval(timer)
    await db.close()
  })

  it.each(methods)('lets timers fire, and ends when its signal is aborted (%s)', async (method) => {
    const before = timers
    await endsBySignal(method, db, () => new Promise((resolve) => setImmediate(resolve)))
    expect(timers - before).toBeGreaterThan(4)
  })

  it('is refused in the same turn if its signal is already aborted, and accepts only a signal', async () => {
    const signal = AbortSignal.abort('why')
    const filter = { text: 'x' }
    await expect(db.count('c', filter, { signal })).rejects.toMatchObject({
      code: 'ABORTED',
      cause: 'why',
      message: 'count: the call was aborted',
    })
    await expect(db.records('c', { filter, signal }).next()).rejects.toMatchObject({
      code: 'ABORTED',
      message: 'records: the call was aborted',
    })
    await expect(db.deleteWhere('c', {}, { signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(db.count('c', filter, { signal: {} as never })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await db.count('c')).toBe(6000)
  })
})
