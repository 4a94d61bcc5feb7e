import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, renameSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { codeOf } from '../common/api'
import { tar } from '../common/tar'

const root = mkdtempSync(join(tmpdir(), 'nidus-ownership-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let n = 0
const fresh = () => join(root, `s${n++}`)
const D = 4
const bytesIn = (folder: string) => Object.fromEntries(readdirSync(folder).sort().map((file) => [file, statSync(join(folder, file)).isFile() ? readFileSync(join(folder, file), 'hex') : 'folder']))

async function filled(rows = 20) {
  const name = fresh()
  const db = await Nidus.open(name, { dimension: D })
  for (let i = 0; i < rows; i++) await db.upsert('c', [{ id: `${i}`, vector: [i + 1, 1, 0, 0] }])
  await db.close()
  return name
}

describe('damage is not acted on', () => {
  it('a log that is missing is told, and nothing is changed', async () => {
    const name = await filled()
    renameSync(join(name, 'log'), join(name, 'away'))
    const before = bytesIn(name)
    for (const options of [{}, { dimension: D }, { readOnly: true }]) expect(await codeOf(() => Nidus.open(name, options))).toBe('CORRUPT')
    expect(bytesIn(name)).toEqual(before)
    const into = fresh()
    expect((await Nidus.salvage(name, into)).salvaged).toMatchObject({ documents: 0, rows: 20, unnamedRows: 20 })
    expect(bytesIn(name)).toEqual(before)
  })

  it.each([['empty', 0], ['cut in the middle', 0.5]])('rows beside a log that is %s stay, in every later open too', async (_, part) => {
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

describe('somebody else\'s files', () => {
  const CSV = 'id,name\n1,one\n'
  it.each([
    ['a short data', { data: CSV }], ['a long data', { data: CSV.repeat(1000) }], ['a log', { log: CSV }], ['both', { data: CSV, log: CSV }],
  ])('%s: refused by everything, and left as it is', async (_, files) => {
    const source = await filled(2)
    const name = fresh()
    mkdirSync(name)
    for (const [file, text] of Object.entries(files)) writeFileSync(join(name, file), text)
    const before = bytesIn(name)
    const pair = () => ({ data: readFileSync(join(source, 'data')), log: readFileSync(join(source, 'log')) })
    const calls = [
      () => Nidus.open(name, { dimension: D }), () => Nidus.open(name), () => Nidus.import(name, pair()), () => Nidus.import(name, pair(), { replace: true }),
      () => Nidus.salvage(source, name), () => Nidus.destroy(name),
    ]
    for (const call of calls) {
      expect(await codeOf(call)).toMatch(/^(CORRUPT|INVALID_ARGUMENT|ALREADY_EXISTS)$/)
      expect(bytesIn(name)).toEqual(before)
    }
  })

  it('a folder named data, and files that a compaction would take', async () => {
    const name = fresh()
    mkdirSync(join(name, 'data'), { recursive: true })
    for (const call of [() => Nidus.open(name, { dimension: D }), () => Nidus.destroy(name)]) expect(await codeOf(call)).toBe('INVALID_ARGUMENT')
    expect(bytesIn(name)).toEqual({ data: 'folder' })
    const store = await filled(3)
    for (const file of ['data.compacted', 'log.compacted', 'compacted', 'compacted.draft', 'log.barrier']) {
      writeFileSync(join(store, file), CSV)
      const db = await Nidus.open(store)
      expect(await codeOf(() => db.compact()), file).toBe('INVALID_ARGUMENT')
      expect(await db.count()).toBe(3)
      await db.close()
      expect(readFileSync(join(store, file), 'utf8')).toBe(CSV)
      rmSync(join(store, file))
    }
  })
})

it('file: URLs name the folder that they mean', async () => {
  const name = await filled(2)
  const db = await Nidus.open(`file://${name}`)
  expect(await db.count()).toBe(2)
  await db.close()
  await Nidus.destroy(`file://${name}`)
  expect(readdirSync(root)).not.toContain(name.split('/').pop())
})

it('a tar whose two files lie in two folders is refused', async () => {
  const name = await filled(2)
  const entry = (path: string, file: string) => ({ name: path, bytes: new Uint8Array(readFileSync(join(name, file))) })
  const into = fresh()
  await expect(Nidus.import(into, tar([entry('a/data', 'data'), entry('b/log', 'log')]))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('two folders') })
  expect(readdirSync(root)).not.toContain(into.split('/').pop())
})
