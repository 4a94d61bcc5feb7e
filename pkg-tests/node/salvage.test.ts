import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Nidus, NidusError, type StorageHost } from 'nidus-wasm'
import { failingHost as host } from '../common/failing-host'
import { temporaryFolder } from '../common/folder'

const root = temporaryFolder('salvage')
let n = 0
const fresh = () => join(root, `store${n++}`)

async function build() {
  const name = fresh()
  const db = await Nidus.open(name, { dimension: 2 })
  for (const id of ['a', 'b', 'c']) await db.upsert('docs', [{ id, vector: [1, n], attrs: { of: id } }])
  await db.setMeta('docs', { model: 'm' })
  await db.close()
  return name
}

const files = (name: string) =>
  Object.fromEntries(
    readdirSync(name)
      .sort()
      .map((file) => [file, readFileSync(join(name, file)).toString('hex')]),
  )
const damage = (name: string, file: string, change: (bytes: Buffer) => Buffer | void) => {
  const bytes = readFileSync(join(name, file))
  writeFileSync(join(name, file), change(bytes) ?? bytes)
}
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: unknown) => (error instanceof NidusError ? error.code : String(error)),
  )
async function ids(name: string) {
  const db = await Nidus.open(name)
  const found: string[] = []
  for await (const { id, attrs } of db.records('docs')) found.push(`${id}=${String(attrs.of)}`)
  expect(await db.getMeta('docs')).toEqual({ model: 'm' })
  await db.close()
  return found
}

it('salvages a store that open refuses, and changes none of its bytes', async () => {
  const name = await build()
  // This byte is in the frame of b.
  damage(name, 'log', (log) => void (log[log.indexOf('of', log.indexOf('of') + 1)]! ^= 1))
  const before = files(name)
  expect(await codeOf(Nidus.open(name))).toBe('CORRUPT')
  const into = fresh()
  const report = await Nidus.salvage(name, into)
  expect(files(name)).toEqual(before)
  expect(report).toMatchObject({
    documents: 2,
    collections: 1,
    rows: 3,
    rowsWithoutDocument: 1,
    framesTaken: 4,
    framesSkipped: 1,
    dataBytesSkipped: 0,
    damageCount: 1,
  })
  expect(report.damage).toEqual([{ file: 'log', offset: expect.any(Number), length: report.logBytesSkipped }])
  expect(await ids(into)).toEqual(['a=a', 'c=c'])
  expect(readdirSync(into).sort()).toEqual(['data', 'log'])
  expect(await codeOf(Nidus.salvage(name, into))).toBe('ALREADY_EXISTS')
  expect(await codeOf(Nidus.salvage(name, name))).toBe('ALREADY_EXISTS')
})

it('salvages stores that are whole, also open ones, and stores whose data is short or has no header', async () => {
  const name = await build()
  const db = await Nidus.open(name)
  const all = fresh()
  expect(await Nidus.salvage(name, all)).toMatchObject({
    bytesSkipped: 0,
    framesSkipped: 0,
    documents: 3,
    damageCount: 0,
  })
  await db.close()
  expect(await ids(all)).toEqual(['a=a', 'b=b', 'c=c'])
  damage(name, 'data', (data) => data.subarray(0, data.length - 3))
  expect(await codeOf(Nidus.open(name))).toBe('CORRUPT')
  const short = fresh()
  expect(await Nidus.salvage(name, short)).toMatchObject({ dataBytesSkipped: 5, documents: 2, upsertsWithoutRow: 1 })
  expect(await ids(short)).toEqual(['a=a', 'b=b'])
  damage(name, 'data', (data) => void data.fill(0x55, 0, 64))
  const headless = fresh()
  expect(await codeOf(Nidus.salvage(name, headless))).toBe('CORRUPT')
  expect(existsSync(headless)).toBe(false)
  await Nidus.salvage(name, headless, { dimension: 2 })
  expect(await ids(headless)).toEqual(['a=a', 'b=b'])
})

it('refuses stores that do not exist, and senseless arguments', async () => {
  const into = fresh()
  expect(await codeOf(Nidus.salvage(fresh(), into))).toBe('NOT_FOUND')
  expect(await codeOf(Nidus.salvage(await build(), ''))).toBe('INVALID_ARGUMENT')
  expect(await codeOf(Nidus.salvage(await build(), into, { dimension: 0 }))).toBe('INVALID_ARGUMENT')
  expect(await codeOf(Nidus.salvage(await build(), into, { storage: 'memory' }))).toBe('STORAGE_UNAVAILABLE')
  expect(await codeOf(Nidus.salvage(await build(), into, { into: {} as StorageHost }))).toBe('INVALID_ARGUMENT')
  expect(existsSync(into)).toBe(false)
})

it('writes all or nothing, whichever step of the writing fails', async () => {
  const name = await build()
  const source = {
    data: new Uint8Array(readFileSync(join(name, 'data'))),
    log: new Uint8Array(readFileSync(join(name, 'log'))),
  }
  const empty = () => ({ data: new Uint8Array(), log: new Uint8Array() })
  const good = host(empty())
  expect((await Nidus.salvage('x', 'y', { storage: host(source).own, into: good.own })).documents).toBe(3)
  expect(good.log.current().data).toEqual(source.data)
  const steps = good.log.steps()
  expect(steps).toBeGreaterThan(6)
  for (let at = 1; at <= steps; at++) {
    const failing = host(empty(), at)
    expect(await codeOf(Nidus.salvage('x', 'y', { storage: host(source).own, into: failing.own }))).toBe(
      'STORAGE_FAILED',
    )
    expect(failing.log.current()).toEqual(empty())
    // The outcome of a failed promotion is unknown, so it is not rolled back.
    expect(failing.log.destroyed).toBe(at === steps ? 0 : 1)
  }
})
