// Tests with a real workerd: messages that arrive late, and shards that never answer.
import { describe, expect, it } from 'vitest'
import { random } from '../common/model'
import { D, faulty, idsOf, record } from './faulty'

const { start, ask, call, served, fault, met, growing, fill } = faulty('sharded-late')

describe('a late message', () => {
  it.each(['before', 'after'])(
    'an adopt brings nothing back that was deleted meanwhile, %s the growth ends',
    async (when) => {
      const on = { store: `late adopt ${when}` }
      await fill(on, idsOf(60))
      await fault(on.store, 1, 'adopt', 'keep')
      const grown = ask({ ...on, client: 9 }, 'grow', 2)
      await met(on.store, 1, 'adopt')
      if (when === 'before') await fault(on.store, 0, 'move', 'hold')
      await fault(on.store, 1, 'adopt')
      expect(await call(on, 'deleteWhere', 'c', {})).toBe(60)
      if (when === 'before') {
        expect((await call(on, 'deliver', 1)).error?.code).toBe('ABORTED')
        await fault(on.store, 0, 'move')
      }
      await grown
      await call(on, 'grow', 2)
      const late = await call(on, 'deliver', 1)
      expect(late.error?.code ?? Object.keys(late)[0]).toMatch(/ABORTED|stale/)
      expect(await call(on, 'count')).toBe(0)
      expect(await call(on, 'search', random(1).vector(D))).toEqual([])
    },
  )

  it.each(['the process', 'the receiver', 'the sender'])(
    'a put that was given up does not win over a newer one, though %s was started anew',
    async (who) => {
      const on = { store: `late put ${who}` }
      const { grown: growth, moving: b } = await growing(on)
      const grown = growth.catch(() => undefined)
      await fault(on.store, 1, 'put', 'keep')
      expect((await ask(on, 'upsert', 'c', [record(b, 1)])).error?.code).toBe('SHARD_FAILED')
      await fault(on.store, 1, 'put')
      await call(on, 'upsert', 'c', [record(b, 2)])
      if (who === 'the process') {
        await served().kill()
        await start()
        await fault(on.store, 0, 'move', 'hold')
      } else await call(on, 'abort', who === 'the receiver' ? 1 : 0)
      expect((await call(on, 'deliver', 1)).error?.code).toBe('ABORTED')
      expect((await call(on, 'get', 'c', [b]))[0].attrs.version).toBe(2)
      await fault(on.store, 0, 'move')
      await grown
      await call(on, 'grow', 2)
      expect(['ABORTED', undefined]).toContain((await call(on, 'deliver', 1)).error?.code)
      expect((await call(on, 'get', 'c', [b]))[0].attrs.version).toBe(2)
    },
  )

  it('a put of a growth that has ended is refused, even if its sender sent nothing later', async () => {
    const on = { store: 'late layout' }
    const { grown, moving: b } = await growing(on)
    await call({ ...on, client: 3 }, 'stats')
    // The old shard is told last that the growth has ended.
    await fault(on.store, 0, 'layout', 'hold')
    await fault(on.store, 0, 'move')
    await met(on.store, 0, 'layout')
    await fault(on.store, 1, 'put', 'keep')
    expect((await ask({ ...on, client: 3 }, 'upsert', 'c', [record(b, 1)])).error?.code).toBe('SHARD_FAILED')
    await fault(on.store, 1, 'put')
    await call({ ...on, client: 4 }, 'upsert', 'c', [record(b, 2)])
    expect(await call(on, 'deliver', 1)).toHaveProperty('stale')
    expect((await call({ ...on, client: 4 }, 'get', 'c', [b]))[0].attrs.version).toBe(2)
    await fault(on.store, 0, 'layout')
    expect((await grown).error).toBe(undefined)
  })

  it('a write that its client gave up is not made after the next one, nor after a restart', async () => {
    const on = { store: 'late client' }
    const [id] = idsOf(1) as [string]
    await fill(on, [id])
    await fault(on.store, 0, 'upsert', 'keep')
    expect((await ask(on, 'upsert', 'c', [record(id, 1)])).error?.code).toBe('SHARD_FAILED')
    await fault(on.store, 0, 'upsert')
    await call(on, 'upsert', 'c', [record(id, 2)])
    expect((await call(on, 'deliver', 0)).error?.code).toBe('ABORTED')
    await served().kill()
    await start()
    expect((await call(on, 'deliver', 0)).error?.code).toBe('ABORTED')
    expect((await call(on, 'get', 'c', [id]))[0].attrs.version).toBe(2)
  })
})

describe('a shard that takes a call and says nothing', () => {
  // This is much longer than a healthy shard needs, even on a busy machine. So only silent shards reach it.
  const TIMEOUT = 3000
  const query = random(1).vector(D)

  // These run at the same time, each with a store of its own, because they only wait for the deadline.
  it.concurrent.each([
    ['search', 'search', [query]],
    ['upsert', 'upsert', ['c', idsOf(30).map((id) => record(id, 1))]],
    ['delete', 'delete', ['c', idsOf(30)]],
    ['deleteWhere', 'deleteWhere', ['c', { version: 7 }]],
    ['get', 'get', ['c', idsOf(30)]],
    ['count', 'count', ['c', {}]],
    ['collections', 'collections', []],
    ['stats', 'stats', []],
    ['compact', 'compact', []],
  ])('%s says which, in time; or ends with its signal', async (method, held, args) => {
    const on = { store: `says nothing to ${method}`, shards: 3, timeout: TIMEOUT }
    await fill(on, idsOf(90))
    await fault(on.store, 1, held, 'hold')
    const { error } = await ask(on, method, ...args)
    expect(error).toMatchObject({
      code: 'SHARD_FAILED',
      shards: [1],
      message: expect.stringContaining('3 s') as string,
    })
    expect((await ask({ ...on, timeout: 60_000 }, method, ...args, { after: 50 })).error?.code).toBe('ABORTED')
    await fault(on.store, 1, held)
  })

  it.concurrent('searchAvailable answers from the others', async () => {
    const on = { store: 'says nothing', shards: 3, timeout: TIMEOUT }
    await fill(on, idsOf(90))
    await fault(on.store, 1, 'search', 'hold')
    const { hits, missing } = await call(on, 'searchAvailable', query, { topK: 100 })
    expect(missing).toEqual([1])
    expect(hits.length).toBeGreaterThan(30)
    expect((await ask({ ...on, timeout: 60_000 }, 'searchAvailable', query, { after: 50 })).error?.code).toBe('ABORTED')
    await fault(on.store, 1, 'search')
    expect((await call(on, 'searchAvailable', query, { topK: 100 })).missing).toEqual([])
  })

  it.concurrent.each(['layout', 'move', 'adopt'])(
    'grow says which, at %s; and goes on when it is asked again',
    async (step) => {
      const on = { store: `silent ${step}`, shards: 2, timeout: TIMEOUT }
      await fill(on, idsOf(90))
      const index = step === 'adopt' ? 2 : 1
      await fault(on.store, index, step, 'hold')
      expect((await ask(on, 'grow', 3)).error).toMatchObject({ code: 'SHARD_FAILED', shards: [index] })
      expect((await ask(on, 'grow', 3, { after: 50 })).error?.code).toBe('ABORTED')
      if (step === 'adopt') {
        // Now a count must find out by itself why it is not possible, and this shard does not answer.
        await fault(on.store, 2, 'remove', 'hold')
        expect((await ask({ ...on, client: 1 }, 'count')).error).toMatchObject({ code: 'SHARD_FAILED', shards: [2] })
        await fault(on.store, 2, 'remove')
      }
      await fault(on.store, index, step)
      await call(on, 'grow', 3)
      expect(await call(on, 'count')).toBe(90)
    },
  )

  it('a call to a silent router ends, too', async () => {
    const on = { store: 'silent router', timeout: TIMEOUT }
    await call(on, 'router', true)
    expect((await ask(on, 'count')).error).toMatchObject({
      code: 'SHARD_FAILED',
      message: expect.stringContaining('router') as string,
    })
    expect((await ask({ ...on, timeout: 60_000, client: 1 }, 'count', 'c', {}, { after: 50 })).error?.code).toBe(
      'ABORTED',
    )
    await call(on, 'router', false)
    expect(await call(on, 'count')).toBe(0)
  })
})
