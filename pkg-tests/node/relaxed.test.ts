import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Nidus, NidusError } from 'nidus-wasm'
import { arraysHost } from '../common/arrays'

const D = 4
const one = (id: string) => [{ id, vector: [1, 2, 3, 4], attrs: { text: 'x'.repeat(2000) } }]
const told = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: NidusError) => error,
  )

/** Mounts a disk of 4 MB in memory, if this process may do so. */
function smallDisk() {
  const path = mkdtempSync(join(tmpdir(), 'nidus-small-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', path], { stdio: 'pipe' })
    return { path, gone: () => execFileSync('umount', ['-l', path]) }
  } catch {
    rmSync(path, { recursive: true })
    return undefined
  }
}
const disk = smallDisk()
afterAll(() => {
  disk?.gone()
  if (disk) rmSync(disk.path, { recursive: true, force: true })
})

describe.skipIf(!disk)(
  'relaxed durability on a full disk (skipped if no tmpfs can be mounted, which needs root on Linux)',
  () => {
    let n = 0
    let name: string
    let filler: string
    beforeAll(() => mkdirSync(join(disk!.path, 'stores')))

    /** Makes one write that is flushed, then 200 that are not, and fills the disk. */
    async function filled() {
      name = join(disk!.path, 'stores', `${n++}`)
      filler = join(disk!.path, `filler ${n}`)
      const db = await Nidus.open(name, { dimension: D, durability: 'relaxed' })
      await db.upsert('c', one('a'))
      await db.flush()
      await Promise.all(Array.from({ length: 200 }, (_, i) => db.upsert('c', one(`${i}`))))
      for (let size = 1 << 20; size >= 1; size >>= 1) {
        for (;;) {
          try {
            writeFileSync(filler, new Uint8Array(size), { flag: 'a' })
          } catch {
            break
          }
        }
      }
      return db
    }
    async function reopened() {
      rmSync(filler)
      const db = await Nidus.open(name)
      const count = await db.count()
      await db.close()
      rmSync(name, { recursive: true })
      return count
    }

    it("close reports each time that the timer's flush failed, and releases everything", async () => {
      const db = await filled()
      expect(await db.closed).toMatchObject({ reason: 'failed', error: { code: 'QUOTA_EXCEEDED' } })
      expect(await told(db.flush())).toMatchObject({ code: 'FAILED' })
      const first = await told(db.close())
      expect(first).toMatchObject({
        code: 'QUOTA_EXCEEDED',
        message: expect.stringContaining('(writes: 200) may be lost') as string,
      })
      expect(await told(db.close())).toBe(first)
      expect(await reopened()).toBeGreaterThanOrEqual(1)
    })

    it('close reports that its own flush failed', async () => {
      const db = await filled()
      expect(await told(db.close())).toMatchObject({
        code: 'QUOTA_EXCEEDED',
        message: expect.stringContaining('may be lost') as string,
      })
      expect(await reopened()).toBeGreaterThanOrEqual(1)
    })

    it('flush reports the failure, and so does close after it', async () => {
      const db = await filled()
      expect(await told(db.flush())).toMatchObject({ code: 'QUOTA_EXCEEDED' })
      expect(await told(db.close())).toMatchObject({ code: 'QUOTA_EXCEEDED' })
      expect(await reopened()).toBeGreaterThanOrEqual(1)
    })

    it('`await using` throws the failure', async () => {
      const left = async () => {
        const db = await filled()
        await db.closed
        await db[Symbol.asyncDispose]()
      }
      expect(await told(left())).toMatchObject({ code: 'QUOTA_EXCEEDED' })
      expect(await reopened()).toBeGreaterThanOrEqual(1)
    })
  },
)

describe('relaxed durability on a host that fails', () => {
  const failing = async (transactional: boolean) => {
    let failure: Error | undefined
    const host = arraysHost({
      transactional,
      commit: async () => {
        if (failure) throw failure
      },
    })
    const db = await Nidus.open('x', { storage: host, dimension: D, durability: 'relaxed' })
    return { host, db, fail: (error: Error | undefined) => void (failure = error) }
  }

  it.each([false, true])(
    "close reports the failure of the timer's flush, and when it resolves the writes are durable (transactional: %s)",
    async (transactional) => {
      const { host, db, fail } = await failing(transactional)
      await db.upsert('c', one('a'))
      fail(new NidusError('OUTCOME_UNKNOWN', 'gone'))
      await db.closed
      expect(await told(db.close())).toMatchObject({
        code: 'OUTCOME_UNKNOWN',
        message: expect.stringContaining('(writes: 1) may be lost') as string,
      })
      expect(host.locked).toBe(false)
    },
  )

  it('a refused write is not reported as lost', async () => {
    const { db, fail } = await failing(true)
    await db.upsert('c', one('a'))
    await db.flush()
    fail(new NidusError('OUTCOME_UNKNOWN', 'gone'))
    expect(await told(db.upsert('c', one('b')))).toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    await db.close()
  })

  it('a write that changes nothing needs no flush', async () => {
    const { db, fail } = await failing(false)
    await db.createCollection('c')
    await db.flush()
    await db.createCollection('c')
    fail(undefined)
    await db.close()
  })
})
