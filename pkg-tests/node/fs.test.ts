import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Nidus, type NidusError } from 'nidus-wasm'
import { codeOf } from '../common/api'
import { freshIn, temporaryFolder } from '../common/folder'

const root = temporaryFolder('fs')
const fresh = freshIn(root)
const D = 4
const PACKAGE = fileURLToPath(new URL('../../dist/node.js', import.meta.url))

async function filled(name = fresh()) {
  const db = await Nidus.open(name, { dimension: D })
  await db.upsert('c', [
    { id: 'a', vector: [1, 0, 0, 0] },
    { id: 'b', vector: [0, 1, 0, 0] },
  ])
  await db.upsert('c', [{ id: 'a', vector: [0, 0, 1, 0], attrs: { second: true } }])
  return { name, db }
}

describe('fs: files', () => {
  it('are the files of native and no others', async () => {
    const { name, db } = await filled()
    expect(readdirSync(name).sort()).toEqual(['data', 'lock', 'log'])
    await db.compact()
    expect(readdirSync(name).sort()).toEqual(['data', 'lock', 'log'])
    await db.close()
    expect(readdirSync(name).sort()).toEqual(['data', 'log'])
    expect(statSync(join(name, 'data')).size).toBe(64 + 2 * D * 4)
  })

  it('are not created or changed by a read-only opening, not even if they are damaged', async () => {
    const name = fresh()
    const failed = await Nidus.open(name, { readOnly: true }).catch((error: NidusError) => error)
    expect(failed).toMatchObject({ code: 'NOT_FOUND' })
    expect(existsSync(name)).toBe(false)
    await (await filled(name)).db.close()
    truncateSync(join(name, 'log'), statSync(join(name, 'log')).size - 1)
    appendFileSync(join(name, 'data'), 'xyz')
    const before = readFileSync(join(name, 'log')).toString('hex') + readFileSync(join(name, 'data')).toString('hex')
    const db = await Nidus.open(name, { readOnly: true })
    expect(db.recovery).toMatchObject({ frames: 1, dataBytes: 3 })
    await db.close()
    expect(readFileSync(join(name, 'log')).toString('hex') + readFileSync(join(name, 'data')).toString('hex')).toBe(
      before,
    )
    expect(readdirSync(name).sort()).toEqual(['data', 'log'])
  })

  it('are listed and destroyed only if they are a store', async () => {
    const parent = fresh()
    mkdirSync(parent)
    const { name, db } = await filled(join(parent, 'one'))
    mkdirSync(join(parent, 'no-store'))
    writeFileSync(join(parent, 'no-store', 'data'), "somebody's own")
    mkdirSync(join(parent, 'unreadable'))
    symlinkSync('data', join(parent, 'unreadable', 'data'))
    expect(await codeOf(() => Nidus.destroy(name))).toBe('LOCKED')
    await db.close()
    expect(await Nidus.list({ storage: 'fs', root: parent })).toEqual([
      {
        name,
        storage: 'fs',
        dimension: D,
        diskBytes: statSync(join(name, 'data')).size + statSync(join(name, 'log')).size,
      },
    ])
    writeFileSync(join(name, 'mine.txt'), '')
    await Nidus.destroy(name)
    expect(readdirSync(name)).toEqual(['mine.txt'])
    expect(await codeOf(() => Nidus.destroy(join(parent, 'no-store')))).toBe('INVALID_ARGUMENT')
    expect(readdirSync(join(parent, 'no-store'))).toEqual(['data'])
    await Nidus.destroy(join(parent, 'never'))
  })

  it('are refused by their path if it cannot be used', async () => {
    const file = fresh()
    writeFileSync(file, '')
    expect(await codeOf(() => Nidus.open(join(file, 'x'), { dimension: D }))).toBe('STORAGE_UNAVAILABLE')
    expect(await codeOf(() => Nidus.open('x', { dimension: D, storage: 'opfs' }))).toBe('STORAGE_UNAVAILABLE')
  })
})

describe('fs: the lock', () => {
  it('is that of native with a time ten minutes ahead, and the error of a second opener names its file', async () => {
    const { name, db } = await filled()
    const lock = join(name, 'lock')
    expect(readFileSync(lock, 'utf8')).toMatch(new RegExp(`^${process.pid} \\d{13} \\S+$`))
    expect(statSync(lock).mtimeMs).toBeGreaterThan(Date.now() + 500_000)
    const error = await Nidus.open(name).catch((error: NidusError) => error)
    expect(error).toMatchObject({ code: 'LOCKED' })
    expect((error as Error).message).toContain(lock)
    await db.close()
  })

  it('of a living process is respected, and that of a killed process is taken over', async () => {
    const name = fresh()
    const script = `import { Nidus } from ${JSON.stringify(PACKAGE)}
      const db = await Nidus.open(${JSON.stringify(name)}, { dimension: ${D} })
      await db.upsert('c', [{ id: 'a', vector: [1, 0, 0, 0] }])
      console.log('ready')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise<void>((resolve) => child.stdout.once('data', () => resolve()))
    expect(await codeOf(() => Nidus.open(name))).toBe('LOCKED')
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
    expect(existsSync(join(name, 'lock'))).toBe(true)
    const db = await Nidus.open(name)
    expect(await db.count()).toBe(1)
    await db.close()
    expect(readdirSync(name).sort()).toEqual(['data', 'log'])
  })

  it('stays if it is unknown whether its holder lives', async () => {
    const { name, db } = await filled()
    await db.close()
    const lock = join(name, 'lock')
    const dead = Number(execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }))
    for (const content of ['', `${dead} 1`, `${dead} 1 abc;1;elsewhere/boot/pid`, 'rubbish']) {
      writeFileSync(lock, content)
      utimesSync(lock, 1, 1)
      expect(await codeOf(() => Nidus.open(name)), content).toBe('LOCKED')
      expect(readFileSync(lock, 'utf8')).toBe(content)
    }
    unlinkSync(lock)
  })

  it.runIf(existsSync('/etc/machine-id'))(
    'of an earlier boot of this machine is taken over when nobody has renewed it, that of another machine is not',
    async () => {
      const { name, db } = await filled()
      const lock = join(name, 'lock')
      const held = readFileSync(lock, 'utf8')
      await db.close()
      const [host, boot, pid, time, machine] = held.slice(held.lastIndexOf(';') + 1).split('/')
      const leave = (place: (string | undefined)[], seconds: number) => {
        writeFileSync(lock, held.slice(0, held.lastIndexOf(';') + 1) + place.join('/'))
        utimesSync(lock, seconds, seconds)
      }
      const now = Date.now() / 1000
      for (const [place, seconds] of [
        [[host, 'earlier', pid, time, machine], now + 300],
        [[host, 'earlier', pid, time, 'another'], now - 300],
        [['another', 'earlier', pid, time, machine], now - 300],
        [[host, 'earlier', pid, time, ''], now - 300],
      ] as const) {
        leave([...place], seconds)
        expect(await codeOf(() => Nidus.open(name)), place.join(' ')).toBe('LOCKED')
      }
      leave([host, 'earlier', pid, time, machine], now - 300)
      const again = await Nidus.open(name)
      expect(boot).not.toBe('earlier')
      await again.close()
      expect(readdirSync(name).sort()).toEqual(['data', 'log'])
    },
  )

  it('that another process took makes the store fail before it writes a byte, and the new lock stays', async () => {
    const { name, db } = await filled()
    const files = () =>
      readFileSync(join(name, 'log')).toString('hex') + readFileSync(join(name, 'data')).toString('hex')
    const before = files()
    unlinkSync(join(name, 'lock'))
    writeFileSync(join(name, 'lock'), '1 1')
    expect(await codeOf(() => db.upsert('c', [{ id: 'x', vector: [1, 1, 1, 1] }]))).toBe('FAILED')
    expect(await codeOf(() => db.count())).toBe('FAILED')
    expect(await db.closed).toMatchObject({ reason: 'failed' })
    expect(files()).toBe(before)
    await db.close()
    expect(readFileSync(join(name, 'lock'), 'utf8')).toBe('1 1')
  })

  it('that is held does not help if another program changed the file: the store fails', async () => {
    const { name, db } = await filled()
    appendFileSync(join(name, 'log'), 'x')
    expect(await codeOf(() => db.upsert('c', [{ id: 'x', vector: [1, 1, 1, 1] }]))).toBe('FAILED')
    expect(readFileSync(join(name, 'log')).at(-1)).toBe('x'.charCodeAt(0))
    await db.close()
  })
})

describe('fs: an interrupted compaction', () => {
  const BARRIER = Buffer.from('05000000ffffffff00', 'hex')

  /** Returns the files of a store before its compaction and after it. */
  async function prepared() {
    const { name, db } = await filled()
    await db.close()
    const before = { data: readFileSync(join(name, 'data')), log: readFileSync(join(name, 'log')) }
    const again = await Nidus.open(name)
    await again.compact()
    await again.close()
    const after = { data: readFileSync(join(name, 'data')), log: readFileSync(join(name, 'log')) }
    return { name, before, after }
  }
  function put(name: string, files: Record<string, Uint8Array | string>) {
    rmSync(name, { recursive: true, force: true })
    mkdirSync(name)
    for (const [file, bytes] of Object.entries(files)) writeFileSync(join(name, file), bytes)
  }
  const identity = (name: string) =>
    ['data', 'log']
      .map((file) => {
        const { ino, size, mtimeNs } = statSync(join(name, file), { bigint: true })
        return `${ino} ${size} ${mtimeNs}`
      })
      .join(', ')
  const mark = (name: string, old = identity(name)) =>
    writeFileSync(join(name, 'compacted'), JSON.stringify({ data: 'data.compacted', log: 'log.compacted', old }))

  async function holds(name: string, rows: number) {
    for (const readOnly of [true, false]) {
      const db = await Nidus.open(name, { readOnly, autoCompact: false })
      expect(db.recovery).toMatchObject({ bytes: 0, created: false })
      expect((await db.search([0, 0, 1, 0], { topK: 1 }))[0]).toMatchObject({ id: 'a', attrs: { second: true } })
      expect(await db.count()).toBe(2)
      if (!readOnly) expect((await db.footprint()).rows).toBe(rows)
      await db.close()
    }
    expect(readdirSync(name).sort()).toEqual(['data', 'log'])
  }

  it('is finished or undone from every state in between', async () => {
    const { name, before, after } = await prepared()
    const { crc32 } = await import('../../src/ts/format/crc32')
    const barrier = Buffer.concat([BARRIER, Buffer.alloc(4)])
    barrier.writeUInt32LE(crc32(barrier.subarray(4, 9)), 9)
    // The new pair is written, and there is no marker yet.
    put(name, { ...before, 'data.compacted': after.data, 'log.compacted': after.log.subarray(0, 10) })
    await holds(name, 3)
    // The marker is written.
    put(name, { ...before, 'data.compacted': after.data, 'log.compacted': after.log })
    mark(name)
    await holds(name, 2)
    // The marker is written. Then somebody wrote to the old pair, so the new pair is outdated.
    put(name, { ...before, 'data.compacted': after.data, 'log.compacted': after.log })
    mark(name, 'other')
    await holds(name, 3)
    // The log has the barrier. Then nothing is renamed, only `data`, or both.
    put(name, { data: before.data, log: barrier, 'data.compacted': after.data, 'log.compacted': after.log })
    mark(name)
    await holds(name, 2)
    put(name, { data: after.data, log: barrier, 'log.compacted': after.log })
    mark(name)
    await holds(name, 2)
    put(name, { ...after })
    mark(name)
    await holds(name, 2)
    // States that cannot occur.
    put(name, { data: before.data, log: barrier })
    mark(name)
    expect(await codeOf(() => Nidus.open(name))).toBe('CORRUPT')
    put(name, { data: before.data, log: barrier })
    expect(await codeOf(() => Nidus.open(name))).toMatch(/CORRUPT|UNSUPPORTED_VERSION/)
    expect(readFileSync(join(name, 'log')).equals(barrier)).toBe(true)
  })

  it('leaves nothing behind if the process is killed while it removes the new pair', async () => {
    const { name, before, after } = await prepared()
    // Starts a process that is killed after it has removed one file of the new pair. Returns the signal that ended it.
    const killed = (work: string) =>
      spawnSync(
        process.execPath,
        [
          '--input-type=module',
          '-e',
          `import fs from 'node:fs'
          import { syncBuiltinESMExports } from 'node:module'
          const { unlinkSync, renameSync } = fs
          let removed = 0
          fs.unlinkSync = (path) => {
            if (!/(data|log)\\.compacted/.test(path)) return unlinkSync(path)
            if (removed++ === 1) process.kill(process.pid, 'SIGKILL')
            unlinkSync(path)
          }
          fs.renameSync = (from, to) => {
            if (/compacted$/.test(to)) throw new Error('the medium is full')
            renameSync(from, to)
          }
          syncBuiltinESMExports()
          const { Nidus } = await import(${JSON.stringify(PACKAGE)})
          const db = await Nidus.open(${JSON.stringify(name)}, { autoCompact: false })
          ${work}`,
        ],
        { encoding: 'utf8' },
      ).signal
    put(name, { ...before, 'data.compacted': after.data, 'log.compacted': after.log.subarray(0, 10) })
    expect(killed('')).toBe('SIGKILL')
    await holds(name, 3)
    put(name, before)
    expect(killed('await db.compact()')).toBe('SIGKILL')
    expect(readdirSync(name).filter((file) => file.startsWith('data.'))).toHaveLength(1)
    for (const file of readdirSync(name)) if (file.startsWith('log.')) truncateSync(join(name, file), 10)
    await holds(name, 3)
  })

  it('of native is completed if its log.tmp belongs to the data', async () => {
    const { name, before, after } = await prepared()
    const half = () => put(name, { data: after.data, log: before.log, 'log.tmp': after.log })
    half()
    const reader = await Nidus.open(name, { readOnly: true })
    expect((await reader.search([0, 0, 1, 0], { topK: 1 }))[0]!.id).toBe('a')
    await reader.close()
    expect(existsSync(join(name, 'log.tmp'))).toBe(true)
    const db = await Nidus.open(name)
    expect(await db.count()).toBe(2)
    await db.upsert('c', [{ id: 'z', vector: [1, 1, 1, 1] }])
    await db.close()
    expect(readdirSync(name).sort()).toEqual(['data', 'log'])
    half()
    truncateSync(join(name, 'log.tmp'), after.log.length - 1)
    const bytes = readFileSync(join(name, 'log'))
    expect(await codeOf(() => Nidus.open(name))).toBe('CORRUPT')
    expect(readFileSync(join(name, 'log')).equals(bytes)).toBe(true)
  })

  it('lets a reader beside the compacting writer see the old state or the new one', async () => {
    const { name, db } = await filled()
    const compacting = (async () => {
      for (let i = 0; i < 25; i++) {
        await db.upsert('c', [{ id: 'a', vector: [0, 0, 1, 0] }])
        await db.compact()
      }
    })()
    let opened = 0
    let done = false
    void compacting.finally(() => (done = true))
    while (!done) {
      const reader = await Nidus.open(name, { readOnly: true })
      expect(await reader.count()).toBe(2)
      expect((await reader.search([0, 1, 0, 0], { topK: 1 }))[0]).toMatchObject({ id: 'b', score: 1 })
      await reader.close()
      opened++
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await compacting
    expect(opened).toBeGreaterThan(3)
    await db.close()
  })
})
