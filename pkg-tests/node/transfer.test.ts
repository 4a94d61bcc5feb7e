import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { codeOf } from '../common/api'
import { arraysHost, type ArraysHost } from '../common/arrays'
import { temporaryFolder } from '../common/folder'
import { stream, tar, untar } from '../common/tar'
import { exported, fill, same, transferSuite } from '../common/transfer'

const root = temporaryFolder('transfer')
let n = 0
const fresh = () => join(root, `s${n++}`)

transferSuite('memory', { fresh: () => `m${n++}`, options: () => ({ storage: 'memory' }), again: false })
transferSuite(
  'fs',
  { fresh, options: () => ({}), again: true },
  { gone: async (name) => expect(existsSync(name)).toBe(false) },
)
for (const [what, setUp] of [
  ['plain arrays', {}],
  ['arrays that are read asynchronously', { onlyAsync: true }],
  ['arrays and transactions', { transactional: true }],
] as const) {
  let host: ArraysHost
  transferSuite(`a user's host over ${what}`, {
    fresh: () => {
      host = arraysHost({ ...setUp, keep: false })
      return `h${n++}`
    },
    options: () => ({ storage: host }),
    again: true,
  })
}

const files = (name: string) => ({ data: readFileSync(join(name, 'data')), log: readFileSync(join(name, 'log')) })
/** Reads the golden files as tests/golden/mod.rs does. */
function golden(name: string) {
  const found = { data: [] as number[], log: [] as number[] }
  let into = found.data
  for (const line of readFileSync(new URL(`../../tests/golden/${name}.txt`, import.meta.url), 'utf8').split('\n')) {
    if (line === 'data' || line === 'log') into = found[line]
    else if (!line.startsWith('#'))
      into.push(...(line.split('|')[0]!.match(/\S+/g) ?? []).map((byte) => parseInt(byte, 16)))
  }
  return { data: Uint8Array.from(found.data), log: Uint8Array.from(found.log) }
}

describe('the bytes of native', () => {
  it.each(['operations', 'values', 'compacted', 'newer'])(
    'written by native (%s), are imported and exported unchanged',
    async (name) => {
      const native = golden(name)
      const at = fresh()
      const db = await Nidus.import(at, native)
      const out = untar(await exported(db))
      expect([same(out.data, native.data), same(out.log, native.log)]).toEqual([true, true])
      await db.close()
      expect([same(files(at).data, native.data), same(files(at).log, native.log)]).toEqual([true, true])
    },
  )

  async function directory() {
    const name = fresh()
    const db = await Nidus.open(name, { dimension: 8 })
    await fill(db, 200)
    await db.close()
    writeFileSync(join(name, 'lock'), '1 2')
    writeFileSync(join(name, 'manifest'), 'x'.repeat(1234))
    mkdirSync(join(name, 'a directory'))
    return name
  }

  it('an invalid length or record in a tar is CORRUPT', async () => {
    const db = await Nidus.open('x', { storage: 'memory', dimension: 8 })
    const { data, log } = untar(await exported(db))
    await db.close()
    const text = (of: string) => new TextEncoder().encode(of)
    const pair = [
      { name: 'data', bytes: data },
      { name: 'log', bytes: log },
    ]
    const pax = (record: string) => ({ name: 'pax', type: 'x', bytes: text(record) })
    const size = (value: string) => `${value.length + 8 < 10 ? value.length + 8 : value.length + 9} size=${value}\n`
    const base256 = (...bytes: number[]) => {
      const bad = tar(pair)
      const header = bad.subarray(512 + Math.ceil(data.length / 512) * 512).subarray(0, 512)
      header.set(bytes, 124)
      const sum = header.reduce((all, byte, i) => all + (i >= 148 && i < 156 ? 32 : byte), 0)
      header.set(text(sum.toString(8).padStart(6, '0')), 148)
      return bad
    }
    const bad = [
      ...['-5', '-0', '1e3', '0x10', ' 7', '+7', '5.5', 'NaN', '9'.repeat(20)].flatMap((value) => [
        tar([pax(size(value)), ...pair]),
        tar([pax(size(value)), { name: 'long', type: 'L', bytes: text('data') }, ...pair]),
      ]),
      ...['-9 path=data\n', '0 path=data\n', '99 path=data\n', '12 path data\n', 'x', '1e1 path=data\n'].map((record) =>
        tar([pax(record), ...pair]),
      ),
      base256(...Array<number>(12).fill(0xff)),
      base256(0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5),
      base256(...text('0000000-005')),
      base256(...text('00000000089')),
    ]
    for (const [i, bytes] of bad.entries())
      expect(await codeOf(() => Nidus.import('y', bytes, { storage: 'memory' })), `${i}`).toBe('CORRUPT')
    // A size without a value cancels the size before it.
    const good = await Nidus.import('y', tar([pax(size('')), ...pair]), { storage: 'memory' })
    expect(good.dimension).toBe(8)
    await good.close()
  })

  it("the system's tar reads an export", async () => {
    const name = await directory()
    const db = await Nidus.open(name, { readOnly: true })
    const bytes = await exported(db)
    await db.close()
    writeFileSync(join(root, 'out.tar'), bytes)
    const into = fresh()
    mkdirSync(into)
    expect(execFileSync('tar', ['-xvf', join(root, 'out.tar'), '-C', into], { encoding: 'utf8' })).toBe('data\nlog\n')
    for (const file of ['data', 'log'] as const) expect(files(into)[file].equals(files(name)[file])).toBe(true)
    const second = await Nidus.open(into, { autoCompact: false })
    expect(same(await exported(second), bytes)).toBe(true)
    await second.close()
  })

  it.each([
    ['--format=gnu'],
    ['--format=posix'],
    ['--format=v7'],
    ['--format=ustar'],
    ['--format=posix', '--pax-option=comment:=xyz,SCHILY.xattr:=1'],
    ['--format=gnu', '--transform', `s,^\\.,${'long/'.repeat(40)},`],
    ['--format=posix', '--transform', `s,^\\.,${'länger/'.repeat(40)},`],
    ['-b', '1'],
  ])("the system's tar of a directory is read (%s %s)", async (...options) => {
    const name = await directory()
    const path = join(root, `in${n++}.tar`)
    execFileSync('tar', [...options, '-cf', path, '-C', name, '.'])
    for (const source of [path, pathToFileURL(path), readFileSync(path), stream(readFileSync(path))]) {
      const into = fresh()
      await (await Nidus.import(into, source)).close()
      for (const file of ['data', 'log'] as const) expect(files(into)[file].equals(files(name)[file])).toBe(true)
      expect(readdirSync(into).sort()).toEqual(['data', 'log'])
    }
  })

  it('a sparse file is reported and not misread', async () => {
    const name = fresh()
    mkdirSync(name)
    for (const file of ['data', 'log']) execFileSync('truncate', ['-s', '3M', join(name, file)])
    for (const format of ['gnu', 'posix']) {
      const path = join(root, `sparse-${format}.tar`)
      execFileSync('tar', ['--sparse', `--format=${format}`, '-cf', path, '-C', name, '.'])
      expect(await codeOf(() => Nidus.import(fresh(), path))).toBe('INVALID_ARGUMENT')
    }
  })

  it('a directory is read as a read-only opening would read it', async () => {
    const name = await directory()
    rmSync(join(name, 'lock'))
    for (const source of [name, pathToFileURL(name)]) {
      const into = fresh()
      await (await Nidus.import(into, source)).close()
      for (const file of ['data', 'log'] as const) expect(files(into)[file].equals(files(name)[file])).toBe(true)
    }
    expect(await codeOf(() => Nidus.import(fresh(), join(root, 'nowhere')))).toBe('NOT_FOUND')
    await (await Nidus.import(name, name, { replace: true })).close()
    const writer = await Nidus.open(name)
    // While the import reads the store, somebody writes to it.
    const into = fresh()
    let writing: Promise<unknown> | undefined
    const big = await Nidus.open(fresh(), { dimension: 256 })
    await big.upsert('c', {
      ids: Array.from({ length: 5000 }, (_, i) => `${i}`),
      vectors: new Float32Array(5000 * 256).fill(1),
    })
    const onProgress = () => void (writing ??= big.upsert('d', [{ id: 'x', vector: new Float32Array(256).fill(1) }]))
    expect(await codeOf(() => Nidus.import(into, big.name, { onProgress }))).toBe('LOCKED')
    await writing
    expect(existsSync(into)).toBe(false)
    await Promise.all([big.close(), writer.close()])
  })

  it('a read-only opening exports no half-written end, and changes nothing', async () => {
    const name = await directory()
    const { data, log } = files(name)
    writeFileSync(join(name, 'data'), Buffer.concat([data, data.subarray(0, 5)]))
    writeFileSync(join(name, 'log'), Buffer.concat([log, log.subarray(0, 20)]))
    const db = await Nidus.open(name, { readOnly: true })
    const out = untar(await exported(db))
    await db.close()
    expect([same(out.data, data), same(out.log, log)]).toEqual([true, true])
    expect(files(name).log.length).toBe(log.length + 20)
  })

  it('a tar may hold files of more than 8 GiB', async () => {
    const { partsOfTar, tarHeader } =
      (await import('../../src/ts/transfer/tar')) as typeof import('../../src/ts/transfer/tar')
    const { Input } = await import('../../src/ts/transfer/source')
    for (const size of [8 ** 11 - 1, 8 ** 11, 2 ** 40 + 12345]) {
      writeFileSync(join(root, 'big.tar'), tarHeader('data', size))
      // tar ends with an error, because nothing follows the header. It has printed the size before.
      expect(spawnSync('tar', ['-tvf', join(root, 'big.tar')], { encoding: 'utf8' }).stdout).toContain(` ${size} `)
    }
    const parts = partsOfTar(new Input(stream(new Uint8Array([...tarHeader('data', 8 ** 11 + 5), 1, 2, 3]))))
    expect((await parts.next()).value).toMatchObject({ file: 'data', bytes: Uint8Array.of(1, 2, 3) })
    expect(await codeOf(() => parts.next())).toBe('CORRUPT')
  })
})

describe('an export that nobody reads', () => {
  afterEach(() => void vi.useRealTimers())

  it('delays a compaction for a minute, and then fails', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const db = await Nidus.open(fresh(), { dimension: 8, autoCompact: false })
    await fill(db, 100)
    const reader = db.export().getReader()
    await reader.read()
    let compacted = false
    const compacting = db.compact().then(() => (compacted = true))
    vi.setSystemTime(Date.now() + 50_000)
    await reader.read()
    vi.setSystemTime(Date.now() + 50_000)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(compacted).toBe(false)
    vi.setSystemTime(Date.now() + 20_000)
    await compacting
    expect(
      await codeOf(async () => {
        while (!(await reader.read()).done);
      }),
    ).toBe('ABORTED')
    expect(same(await exported(db), await exported(db))).toBe(true)
    await db.close()
  })
})

describe('a medium that fails', () => {
  /** Returns a host on which write number `at` to a new pair fails with `error`. `had` is the host below it. */
  function failing(at: number, error: Error, had: ArraysHost) {
    let calls = 0
    let promoted = 0
    const create = had.create.bind(had)
    const host: ArraysHost = Object.create(had, {
      create: {
        value: async () => {
          const files = await create()
          for (const made of had.made.slice(-2))
            made.onCall = (what) => {
              if (what === 'write' && ++calls === at) throw error
            }
          return files
        },
      },
      promote: { value: (files: never) => (promoted++, had.promote(files)) },
    })
    return Object.assign(host, { promoted: () => promoted })
  }

  it('loses nothing of the old store, wherever it fails', async () => {
    const sample = await Nidus.open(fresh(), { dimension: 64 })
    await sample.upsert('c', {
      ids: Array.from({ length: 9000 }, (_, i) => `${i}`),
      vectors: new Float32Array(9000 * 64).fill(1),
    })
    const bytes = await exported(sample)
    await sample.close()
    for (const exists of [false, true]) {
      for (let at = 1; at <= 5; at++) {
        const had = arraysHost({ keep: false })
        if (exists)
          await (
            await Nidus.import(
              'x',
              tar([
                { name: 'data', bytes: untar(bytes).data.slice(0, 64) },
                { name: 'log', bytes: new Uint8Array(0) },
              ]),
              { storage: had },
            )
          ).close()
        const before = had.files && [had.files.data.bytes.length, had.files.log.bytes.length]
        const host = failing(at, Object.assign(new Error('full'), { code: 'ENOSPC' }), had)
        expect(await codeOf(() => Nidus.import('x', bytes, { storage: host, replace: true })), `${at}`).toBe(
          at < 5 ? 'QUOTA_EXCEEDED' : 'nothing thrown',
        )
        if (at === 5) break
        expect(host.promoted()).toBe(0)
        expect(had.files && [had.files.data.bytes.length, had.files.log.bytes.length]).toEqual(before)
        expect(had.made.every((handle) => handle.closed > 0)).toBe(true)
      }
    }
  })
})
