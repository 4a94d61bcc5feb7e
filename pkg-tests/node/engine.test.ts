import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Nidus, NidusError, type StorageHost } from 'nidus-wasm'
import { codeOf } from '../common/api'
import { arraysHost } from '../common/arrays'
import { temporaryFolder } from '../common/folder'

const root = temporaryFolder('engine')
const D = 4
const one = (id: string, x = 1) => [{ id, vector: [x, 1, 0, 0] }]
const open = (storage: StorageHost, options = {}) => Nidus.open('x', { dimension: D, storage, ...options })

describe('commits', () => {
  it('are few for a thousand calls', async () => {
    const host = arraysHost({ keep: false })
    const db = await open(host)
    await Promise.all(Array.from({ length: 1000 }, (_, i) => db.upsert('c', one(`${i}`))))
    expect(host.commits).toBeGreaterThan(0)
    expect(host.commits).toBeLessThanOrEqual(3)
    await db.close()
  })

  it('write hardly more than rows and frames', async () => {
    const host = arraysHost({ keep: false })
    const dimension = 384
    const db = await Nidus.open('x', { dimension, storage: host })
    const vectors = Float32Array.from({ length: 100 * dimension }, (_, i) => Math.cos(i))
    // This is a tenth of the rows that the test with files has, because plain arrays are slow.
    for (let at = 0; at < 2000; at += 100)
      await db.upsert('c', { ids: Array.from({ length: 100 }, (_, i) => `id-${at + i}`), vectors })
    const { data, log } = host.files!
    expect(data.written + log.written).toBeLessThanOrEqual(1.05 * (data.bytes.length + log.bytes.length))
    await db.close()
  })

  it('write hardly more than rows and frames into files, as the kernel counts', async () => {
    const name = join(root, 'amplification')
    const dimension = 384
    const db = await Nidus.open(name, { dimension })
    const wchar = () => Number(/wchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))![1])
    const vectors = Float32Array.from({ length: 100 * dimension }, (_, i) => Math.cos(i))
    const before = wchar()
    for (let at = 0; at < 20_000; at += 100)
      await db.upsert('c', { ids: Array.from({ length: 100 }, (_, i) => `id-${at + i}`), vectors })
    const written = wchar() - before
    const { diskBytes } = await db.footprint()
    expect(written).toBeGreaterThanOrEqual(diskBytes - 64)
    expect(written).toBeLessThanOrEqual(1.05 * diskBytes)
    await db.close()
  })

  it('do not fail when another call of the group is refused', async () => {
    const db = await open(arraysHost(), { maxVectorBytes: 2 * D * 4 })
    const settled = await Promise.allSettled([
      db.upsert('c', one('a')),
      db.upsert('c', [...one('b'), ...one('c')]),
      db.upsert('c', one('d')),
      db.delete('c', ['a']),
    ])
    expect(
      settled.map((result) => (result.status === 'fulfilled' ? result.value : (result.reason as NidusError).code)),
    ).toEqual([1, 'CAPACITY', 1, 1])
    expect(await db.count()).toBe(1)
    await db.close()
  })
})

describe('a medium that fails', () => {
  it('on a write: the group is rolled back and refused, and the store continues', async () => {
    const host = arraysHost()
    const db = await open(host)
    await db.upsert('c', one('a'))
    const before = [[...host.files!.data.bytes], [...host.files!.log.bytes]]
    const quota = Object.assign(new Error('full'), { name: 'QuotaExceededError' })
    for (const which of ['data', 'log'] as const) {
      for (const [error, code] of [
        [quota, 'QUOTA_EXCEEDED'],
        [Object.assign(new Error('no space'), { code: 'ENOSPC' }), 'QUOTA_EXCEEDED'],
        [new Error('smoke'), 'STORAGE_FAILED'],
      ] as const) {
        let failures = 1
        host.files![which].onCall = (what) => {
          if (what === 'write' && failures-- > 0) throw error
        }
        const failed = await db.upsert('c', one('b')).catch((error: NidusError) => error)
        expect(failed).toMatchObject({ code })
        expect((failed as NidusError).cause).toBe(error)
        host.files![which].onCall = () => {}
        expect([host.files!.data.bytes, host.files!.log.bytes]).toEqual(before)
      }
    }
    expect(await db.upsert('c', one('c'))).toBe(1)
    await db.close()
    const again = await open(host)
    expect(again.recovery.bytes).toBe(0)
    expect(await again.count()).toBe(2)
    await again.close()
  })

  it('on a write that is too short: it is refused, and nothing is lost', async () => {
    const host = arraysHost()
    const db = await open(host)
    const { data } = host.files!
    const write = data.write.bind(data)
    data.write = (buffer, options) => write(buffer.subarray(0, buffer.length - 1), options)
    expect(await codeOf(() => db.upsert('c', one('a')))).toBe('STORAGE_FAILED')
    data.write = write
    expect(await db.upsert('c', one('b'))).toBe(1)
    await db.close()
  })

  it('on a flush: the store is FAILED until it is opened again, and close releases everything', async () => {
    const host = arraysHost()
    const db = await open(host)
    await db.upsert('c', one('a'))
    const error = new Error('the disk is gone')
    host.files!.log.onCall = (what) => {
      if (what === 'flush') throw error
    }
    expect(await codeOf(() => db.upsert('c', one('b')))).toBe('STORAGE_FAILED')
    host.files!.log.onCall = () => {}
    for (const call of [
      () => db.upsert('c', one('c')),
      () => db.search([1, 0, 0, 0]),
      () => db.count(),
      () => db.flush(),
      () => db.compact(),
    ]) {
      expect(await codeOf(call)).toBe('FAILED')
    }
    expect(await db.closed).toMatchObject({ reason: 'failed', error: { code: 'STORAGE_FAILED', cause: error } })
    await db.close()
    expect(host.locked).toBe(false)
    expect(host.made.every(({ closed }) => closed === 1)).toBe(true)
    const again = await open(host)
    expect(await again.count()).toBeGreaterThanOrEqual(1)
    await again.close()
  })

  it('on commit: a refused transaction is rolled back, and an unknown outcome makes the store FAILED', async () => {
    let answer: Error | undefined
    const commit = async () => {
      if (answer) throw answer
    }
    const host = arraysHost({ transactional: true, commit })
    let db = await open(host)
    await db.upsert('c', one('a'))
    answer = new DOMException('full', 'QuotaExceededError')
    expect(await codeOf(() => db.upsert('c', one('b')))).toBe('QUOTA_EXCEEDED')
    answer = undefined
    expect(await db.upsert('c', one('c'))).toBe(1)
    expect(await db.get('c', ['b'])).toEqual([undefined])
    answer = new NidusError('OUTCOME_UNKNOWN', 'the connection is gone')
    expect(await codeOf(() => db.upsert('c', one('d')))).toBe('OUTCOME_UNKNOWN')
    answer = undefined
    expect(await codeOf(() => db.count())).toBe('FAILED')
    await db.close()
    // The sinks of this host write at once. So bytes that were not rolled back would be found here.
    db = await open(host)
    expect((await db.get('c', ['a', 'b', 'c'])).map((found) => found?.id)).toEqual(['a', undefined, 'c'])
    await db.close()
    const plain = arraysHost({ commit })
    db = await open(plain)
    answer = new Error('who knows')
    expect(await codeOf(() => db.upsert('c', one('d')))).toBe('STORAGE_FAILED')
    answer = undefined
    expect(await codeOf(() => db.count())).toBe('FAILED')
    await db.close()
  })

  it('during compaction the store is unchanged; during promote it is FAILED, and whole when opened again', async () => {
    const host = arraysHost()
    let db = await open(host)
    for (let i = 0; i < 5; i++) await db.upsert('c', one('a', i))
    const { create, promote } = host
    host.create = async () => {
      throw new Error('no room')
    }
    expect(await codeOf(() => db.compact())).toBe('STORAGE_FAILED')
    host.create = async () => {
      const files = await create()
      files.data.write = () => {
        throw new Error('no room either')
      }
      return files
    }
    expect(await codeOf(() => db.compact())).toBe('STORAGE_FAILED')
    expect(await db.footprint()).toMatchObject({ rows: 5, deadRows: 4 })
    expect(await db.upsert('c', one('b'))).toBe(1)
    await db.close()
    // A failed automatic compaction is reported, and never makes an opening fail.
    db = await open(host, { autoCompact: 0.1 })
    expect(db.recovery).toMatchObject({ compacted: false, compactionError: { code: 'STORAGE_FAILED' } })
    expect(await db.count()).toBe(2)
    host.create = create
    host.promote = async () => {
      throw new Error('half')
    }
    expect(await codeOf(() => db.compact())).toBe('STORAGE_FAILED')
    expect(await codeOf(() => db.count())).toBe('FAILED')
    await db.close()
    db = await open(host, { autoCompact: 0.1 })
    expect(db.recovery).toMatchObject({ compacted: false, compactionError: { code: 'STORAGE_FAILED' } })
    expect(await db.count()).toBe(2)
    host.promote = promote
    await db.compact()
    expect(await db.footprint()).toMatchObject({ rows: 2, deadRows: 0 })
    await db.close()
    expect(host.made.every(({ closed }) => closed >= 1)).toBe(true)
  })

  it('between two calls with relaxed durability: close and every later call report it', async () => {
    const host = arraysHost()
    const db = await open(host, { durability: 'relaxed' })
    await db.upsert('c', one('a'))
    host.files!.data.onCall = (what) => {
      if (what === 'flush') throw new Error('late')
    }
    expect(await db.count()).toBe(1)
    expect(await db.closed).toMatchObject({ reason: 'failed' })
    expect(await codeOf(() => db.count())).toBe('FAILED')
    expect(await codeOf(() => db.close())).toBe('STORAGE_FAILED')
    expect(host.locked).toBe(false)
  })
})

describe('a host that does not keep to the contract', () => {
  it('is refused with what is missing', async () => {
    expect(await codeOf(() => open({} as StorageHost))).toBe('INVALID_ARGUMENT')
    const host = arraysHost()
    host.open = async () => ({ data: {}, log: {} }) as never
    expect(await codeOf(() => open(host))).toBe('INVALID_ARGUMENT')
    host.open = async () => {
      throw new Error('nope')
    }
    expect(await codeOf(() => open(host))).toBe('STORAGE_FAILED')
    for (const pair of [undefined, {}, { data: {}, log: {} }]) {
      const host = arraysHost()
      host.create = async () => pair as never
      const db = await open(host)
      expect(await codeOf(() => db.compact())).toBe('INVALID_ARGUMENT')
      expect(await db.upsert('c', one('a'))).toBe(1)
      await db.close()
    }
  })

  it('is not closed when its lock refuses it, since closing would release the lock of another store', async () => {
    const host = arraysHost()
    const db = await open(host)
    for (let i = 0; i < 3; i++) expect(await codeOf(() => open(host))).toBe('LOCKED')
    await db.close()
    await (await open(host)).close()
  })

  it('is refused when its flush returns a promise, since an acknowledgement would come too early', async () => {
    const host = arraysHost()
    const opened = host.open.bind(host)
    host.open = async (mode) => {
      const files = await opened(mode)
      files.data.flush = () => Promise.resolve() as unknown as void
      return files
    }
    expect(await codeOf(() => open(host))).toBe('UNSUPPORTED')
  })

  it('is refused when its read returns a wrong count or none', async () => {
    const host = arraysHost()
    await open(host).then(async (db) => {
      await db.upsert('c', one('a'))
      await db.close()
    })
    for (const count of [undefined, -1, 1e6, NaN, 'x']) {
      host.files!.log.read = () => count as number
      expect(await codeOf(() => open(host)), String(count)).toBe('STORAGE_FAILED')
    }
  })
})

describe('signals', () => {
  it('have one listener for all calls that share them, and none afterwards', async () => {
    const db = await open(arraysHost())
    const { signal } = new AbortController()
    const counts: number[] = []
    let listening = 0
    const add = signal.addEventListener.bind(signal),
      remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      counts.push(++listening)
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listening--
      remove(...args)
    }
    await Promise.all(Array.from({ length: 30 }, (_, i) => db.upsert('c', one(`${i}`), { signal })))
    expect([Math.max(...counts), listening]).toEqual([1, 0])
    await db.close()
  })
})

describe('relaxed durability', () => {
  it('flushes the log by itself after about a second', async () => {
    const host = arraysHost()
    const db = await open(host, { durability: 'relaxed' })
    await db.upsert('c', one('a'))
    const held = host.files!.log.bytes.length
    expect(held).toBe(0)
    await expect.poll(() => host.files!.log.bytes.length).toBeGreaterThan(0)
    await db.close()
  })
})

describe('the memory for copies of batches', () => {
  it('is used again, by one batch at a time', async () => {
    const db = await Nidus.open('copies', { storage: 'memory', dimension: 3 })
    const sent = new Map<string, number>()
    const upsert = (from: number, count: number) => {
      const ids = Array.from({ length: count }, (_, i) => `${from + i}`)
      const vectors = Float32Array.from({ length: count * 3 }, (_, i) =>
        i % 3 === 0 ? 1 : i % 3 === 1 ? from + Math.floor(i / 3) : 0,
      )
      for (const id of ids) sent.set(id, Number(id))
      const done = db.upsert('c', { ids, vectors })
      vectors.fill(7)
      return done
    }
    let next = 0
    for (const sizes of [[50], [20], [80, 10, 50], [50, 50], [1, 200], [3], [200, 200]]) {
      await Promise.all(sizes.map((size) => upsert((next += size) - size, size)))
    }
    for await (const { id, vector } of db.records('c')) expect(vector[1]! / vector[0]!).toBeCloseTo(sent.get(id)!, 2)
    expect(await db.count()).toBe(sent.size)
    // A caller may still write to memory that it transferred. So no other batch may use that memory.
    const own = Float32Array.from({ length: 3000 }, (_, i) => (i % 3 === 0 ? 1 : 0))
    await db.upsert(
      'c',
      { ids: Array.from({ length: 1000 }, (_, i) => `given ${i}`), vectors: own },
      { transfer: true },
    )
    await db.upsert('c', { ids: ['other'], vectors: new Float32Array([0, 1, 0]) })
    expect([...own.subarray(0, 3)]).toEqual([1, 0, 0])
    await db.close()
  })
})

describe('a vector that cannot be stored', () => {
  it('is named in the error, also in a batch copied in slices, and nothing of its batch is stored', async () => {
    const dimension = 384
    const db = await Nidus.open('bad', { storage: 'memory', dimension })
    for (const [count, at] of [
      [3, 1],
      [100, 99],
      [5000, 4321],
    ] as const) {
      const ids = Array.from({ length: count }, (_, i) => `${i}`)
      const bad = async (number: number, transfer = false) => {
        const vectors = new Float32Array(count * dimension).fill(1)
        vectors[at * dimension + 5] = number
        return db.upsert('c', { ids, vectors }, { transfer }).then(
          () => 'stored',
          (error: NidusError) => `${error.code} ${error.message}`,
        )
      }
      const who = `INVALID_ARGUMENT record ${at} (id "${at}"):`
      const most = '; vectors take numbers up to 3.4e38'
      expect(await bad(NaN)).toBe(`${who} vector[5] is NaN as a 32-bit float${most}`)
      expect(await bad(1e39, true)).toBe(`${who} vector[5] is Infinity as a 32-bit float${most}`)
      expect(await bad(-Infinity)).toBe(`${who} vector[5] is -Infinity as a 32-bit float${most}`)
      expect(await bad(3e38)).toBe(`${who} the vector is too long: its squared norm overflows a 32-bit float`)
      expect(await db.hasCollection('c')).toBe(false)
      // A good batch of the same turn is stored.
      const [, answer] = await Promise.all([
        db.upsert('good', [{ id: 'g', vector: new Float32Array(dimension).fill(1) }]),
        bad(NaN),
      ])
      expect(answer).toContain(who)
      expect(await db.count()).toBe(1)
    }
    expect(await db.upsert('c', { ids: ['a'], vectors: new Float32Array(dimension).fill(1) })).toBe(1)
    expect(await db.count()).toBe(2)
    await db.close()
  })
})
