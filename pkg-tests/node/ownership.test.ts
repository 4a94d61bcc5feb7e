import { execFile } from 'node:child_process'
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { codeOf } from '../common/api'
import { freshIn, temporaryFolder } from '../common/folder'
import { tar } from '../common/tar'

const root = temporaryFolder('ownership')
const fresh = freshIn(root)
const D = 4
const bytesIn = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((file) => [
        file,
        statSync(join(folder, file)).isFile() ? readFileSync(join(folder, file), 'hex') : 'folder',
      ]),
  )

async function filled(rows = 20) {
  const name = fresh()
  const db = await Nidus.open(name, { dimension: D })
  for (let i = 0; i < rows; i++) await db.upsert('c', [{ id: `${i}`, vector: [i + 1, 1, 0, 0] }])
  await db.close()
  return name
}

describe('damage is not acted on', () => {
  it('a missing log is reported, and nothing is changed', async () => {
    const name = await filled()
    renameSync(join(name, 'log'), join(name, 'away'))
    const before = bytesIn(name)
    for (const options of [{}, { dimension: D }, { readOnly: true }])
      expect(await codeOf(() => Nidus.open(name, options))).toBe('CORRUPT')
    expect(bytesIn(name)).toEqual(before)
    const into = fresh()
    expect(await Nidus.salvage(name, into)).toMatchObject({ documents: 0, rows: 20, rowsWithoutName: 20 })
    expect(bytesIn(name)).toEqual(before)
  })

  it.each([
    ['empty', 0],
    ['cut in the middle', 0.5],
  ])('rows beside a log that is %s stay, in every later open too', async (_, part) => {
    const name = await filled()
    const log = readFileSync(join(name, 'log'))
    const data = readFileSync(join(name, 'data'))
    truncateSync(join(name, 'log'), Math.floor(log.length * part))
    for (let i = 0; i < 2; i++) {
      const db = await Nidus.open(name)
      expect(db.recovery.compacted).toBe(false)
      expect(db.recovery.orphanedRows).toBe(20 - (await db.count()))
      await db.close()
      expect(readFileSync(join(name, 'data')).equals(data)).toBe(true)
    }
    writeFileSync(join(name, 'log'), log)
    const db = await Nidus.open(name)
    expect([await db.count(), db.recovery.orphanedRows]).toEqual([20, undefined])
    await db.close()
  })
})

describe('an interrupted write', () => {
  const row = Buffer.alloc(D * 4, 1)
  const rewritten = async (name: string, ids: number) => {
    const db = await Nidus.open(name, { autoCompact: false })
    for (let i = 0; i < ids; i++) await db.upsert('c', [{ id: `${i % 3}`, vector: [i + 1, 1, 0, 0] }])
    await db.close()
  }

  it('that left a few rows without names stops automatic compaction only until more rows are written', async () => {
    const name = await filled(20)
    appendFileSync(join(name, 'data'), Buffer.concat([row, row, row]))
    const first = await Nidus.open(name)
    expect([first.recovery.orphanedRows, first.recovery.compacted]).toEqual([3, false])
    await first.close()
    await rewritten(name, 60)
    const db = await Nidus.open(name)
    expect([db.recovery.orphanedRows, db.recovery.compacted]).toEqual([3, true])
    expect([await db.count(), (await db.footprint()).rows]).toEqual([20, 20])
    await db.close()
  })

  it.each([
    ['rows at the end, which a lost end of the log may have named', 3, 0],
    ['more rows than one write leaves', 1025, 20_000],
    ['a large part of all rows', 12, 60],
  ])('rows without names stay: %s', async (_, unnamed, behind) => {
    const name = await filled(20)
    if (behind === 0) await rewritten(name, 60)
    appendFileSync(join(name, 'data'), Buffer.concat(Array.from({ length: unnamed }, () => row)))
    if (behind > 0) {
      const db = await Nidus.open(name, { autoCompact: false })
      for (let i = 0; i < behind; i += 1000)
        await db.upsert(
          'c',
          Array.from({ length: Math.min(1000, behind) }, (_, j) => ({ id: `${j % 3}`, vector: [j + 1, 1, 0, 0] })),
        )
      await db.close()
    }
    const data = readFileSync(join(name, 'data'))
    for (let i = 0; i < 2; i++) {
      const db = await Nidus.open(name)
      expect([db.recovery.orphanedRows, db.recovery.compacted]).toEqual([unnamed, false])
      await db.close()
      expect(readFileSync(join(name, 'data')).equals(data)).toBe(true)
    }
  })

  it('is reported by the command line, which removes its rows only on request', async () => {
    const name = await filled(20)
    appendFileSync(join(name, 'data'), Buffer.concat([row, row, row]))
    appendFileSync(join(name, 'log'), Buffer.from([9, 0, 0, 0, 1]))
    const run = (...args: string[]) =>
      new Promise<string>((resolve) =>
        execFile(process.execPath, [CLI, ...args], (error, stdout, stderr) =>
          resolve(`${error?.code ?? 0} ${stdout}${stderr}`),
        ),
      )
    const before = bytesIn(name)
    expect(await run('inspect', name)).toMatch(/^0 [^]*unnamed rows +3,/)
    expect(await run('verify', name)).toMatch(/^1 [^]*3 rows that no operation of the log names/)
    expect(await run('compact', name)).toMatch(/^3 nidus-wasm: INVALID_ARGUMENT: 3 rows [^]*--drop-unnamed/)
    expect(bytesIn(name)).toEqual(before)
    expect(await run('compact', name, '--drop-unnamed')).toMatch(/^0 3 dead rows removed/)
    expect(await run('verify', name)).toMatch(/^0 clean: 20 documents, 20 rows/)
  })
})
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

describe('files of another program', () => {
  const CSV = 'id,name\n1,one\n'
  it.each([
    ['a short data', { data: CSV }],
    ['a long data', { data: CSV.repeat(1000) }],
    ['a log', { log: CSV }],
    ['both', { data: CSV, log: CSV }],
  ])('%s: refused by everything, and left as it is', async (_, files) => {
    const source = await filled(2)
    const name = fresh()
    mkdirSync(name)
    for (const [file, text] of Object.entries(files)) writeFileSync(join(name, file), text)
    const before = bytesIn(name)
    const pair = () => ({ data: readFileSync(join(source, 'data')), log: readFileSync(join(source, 'log')) })
    const calls = [
      () => Nidus.open(name, { dimension: D }),
      () => Nidus.open(name),
      () => Nidus.import(name, pair()),
      () => Nidus.import(name, pair(), { replace: true }),
      () => Nidus.salvage(source, name),
      () => Nidus.destroy(name),
    ]
    for (const call of calls) {
      expect(await codeOf(call)).toMatch(/^(CORRUPT|INVALID_ARGUMENT|ALREADY_EXISTS)$/)
      expect(bytesIn(name)).toEqual(before)
    }
  })

  it('a folder named data and files with the names of a compaction are refused and stay', async () => {
    const name = fresh()
    mkdirSync(join(name, 'data'), { recursive: true })
    for (const call of [() => Nidus.open(name, { dimension: D }), () => Nidus.destroy(name)])
      expect(await codeOf(call)).toBe('INVALID_ARGUMENT')
    expect(bytesIn(name)).toEqual({ data: 'folder' })
    const store = await filled(3)
    for (const file of ['data.compacted', 'log.compacted', 'compacted', 'compacted.draft', 'log.barrier']) {
      writeFileSync(join(store, file), CSV)
      const db = await Nidus.open(store)
      await db.upsert('c', [{ id: '0', vector: [1, 1, 0, 0] }])
      await db.compact()
      expect([await db.count(), (await db.footprint()).rows], file).toEqual([3, 3])
      await db.close()
      expect(readFileSync(join(store, file), 'utf8')).toBe(CSV)
      expect(readdirSync(store).sort()).toEqual(['data', 'log', file].sort())
      rmSync(join(store, file))
    }
  })

  it(
    'an interrupted compaction beside them is finished by the next opening, which removes only the ' +
      "compaction's files",
    async () => {
      const name = await filled(3)
      const old = { data: readFileSync(join(name, 'data')), log: readFileSync(join(name, 'log')) }
      const suffix = `.${'0123456789ab'.repeat(2)}`
      const next = await filled(5)
      const put = (file: string, bytes: Uint8Array | string) => writeFileSync(join(name, file), bytes)
      for (const file of ['data.compacted', 'log.compacted', 'compacted', 'log.barrier']) put(file, CSV)
      const theirs = `data.compacted.${'f'.repeat(24)}`
      put(theirs, CSV)
      const identity = () =>
        ['data', 'log']
          .map((file) => {
            const { ino, size, mtimeNs } = statSync(join(name, file), { bigint: true })
            return `${ino} ${size} ${mtimeNs}`
          })
          .join(', ')
      const kept = () =>
        Object.fromEntries(Object.entries(bytesIn(name)).filter(([file]) => !['data', 'log'].includes(file)))
      const before = kept()
      // The process was killed before the marker was made, or after it.
      for (const [marked, count] of [
        [false, 3],
        [true, 5],
      ] as const) {
        for (const file of ['data', 'log'] as const) put(file, old[file])
        for (const file of ['data', 'log'] as const) put(`${file}.compacted${suffix}`, readFileSync(join(next, file)))
        if (marked)
          put(
            `compacted${suffix}`,
            JSON.stringify({ data: `data.compacted${suffix}`, log: `log.compacted${suffix}`, old: identity() }),
          )
        const db = await Nidus.open(name)
        expect(await db.count()).toBe(count)
        await db.close()
        expect(kept()).toEqual(before)
      }
    },
  )
})

it('file: URLs are taken as paths', async () => {
  const name = await filled(2)
  const db = await Nidus.open(`file://${name}`)
  expect(await db.count()).toBe(2)
  await db.close()
  await Nidus.destroy(`file://${name}`)
  expect(readdirSync(root)).not.toContain(name.split('/').pop())
})

it('a tar is refused if its two files are in two folders', async () => {
  const name = await filled(2)
  const entry = (path: string, file: string) => ({ name: path, bytes: new Uint8Array(readFileSync(join(name, file))) })
  const into = fresh()
  await expect(Nidus.import(into, tar([entry('a/data', 'data'), entry('b/log', 'log')]))).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('two folders'),
  })
  expect(readdirSync(root)).not.toContain(into.split('/').pop())
})
