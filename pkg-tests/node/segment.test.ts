import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { NidusError as MainError } from 'nidus-wasm'
import { NidusError, Segment, init, type SyncAccessHandle } from 'nidus-wasm/segment'
import { temporaryFolder } from '../common/folder'
import { cosine, random } from '../common/model'

const root = temporaryFolder('segment')

function sink(name: string): SyncAccessHandle {
  const fd = openSync(join(root, name), 'a+')
  closeSync(fd)
  const file = openSync(join(root, name), 'r+')
  return {
    read: (buffer, { at }) => readSync(file, buffer, 0, buffer.length, at),
    write: (buffer, { at }) => writeSync(file, buffer, 0, buffer.length, at),
    truncate: (size) => ftruncateSync(file, size),
    flush: () => fdatasyncSync(file),
    getSize: () => fstatSync(file).size,
    close: () => closeSync(file),
  }
}

const codeOf = (work: () => unknown) => {
  try {
    work()
    return 'nothing thrown'
  } catch (error) {
    if (error instanceof NidusError) return error.code
    throw error
  }
}

it('needs init once', async () => {
  expect(codeOf(() => Segment.inMemory(2))).toBe('INVALID_ARGUMENT')
  await expect(init(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: 'FAILED' })
  for (const wasm of [7, -1, null, {}, Symbol('x'), Promise.resolve()])
    await expect(init(wasm as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  // If another module is given once, a later `init` can still load the core.
  await expect(init(new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)))).rejects.toMatchObject({
    code: 'UNSUPPORTED',
  })
  await Promise.all([init(), init()])
  expect(Segment.inMemory(2).rowCount).toBe(0)
  expect(new NidusError('FAILED', '')).toBeInstanceOf(MainError)
})

it('appends, searches, truncates, rewrites, and has its rows when it is opened again', () => {
  const d = 16
  const r = random(1)
  const rows = Array.from({ length: 100 }, () => {
    const row = r.vector(d)
    const length = Math.hypot(...row)
    return row.map((x) => x / length)
  })
  const flat = (from: number, to: number) => Float32Array.from(rows.slice(from, to).flatMap((row) => [...row]))
  let segment = Segment.open(sink('a'), { dimension: d })
  expect(segment.append(flat(0, 60))).toBe(0)
  expect(segment.append(flat(60, 100))).toBe(60)
  expect(segment.append(new Float32Array(0))).toBe(100)
  segment.sync()
  const query = r.vector(d)
  const want = rows.map((row, i) => ({ row: i, score: cosine(query, row) })).sort((a, b) => b.score - a.score)
  const got = segment.search(query, { topK: 7 })
  expect(got.map(({ row }) => row)).toEqual(want.slice(0, 7).map(({ row }) => row))
  got.forEach(({ score }, i) => expect(score).toBeCloseTo(want[i]!.score, 5))
  expect(segment.search(query, { minScore: want[2]!.score - 1e-6 })).toHaveLength(3)
  expect(segment.search(query, { topK: 0 })).toEqual([])
  segment.truncateTo(50)
  segment.sync()
  segment.close()
  segment.close()
  expect(codeOf(() => segment.rowCount)).toBe('CLOSED')
  expect(readFileSync(join(root, 'a')).length).toBe(64 + 50 * d * 4)
  segment = Segment.open(sink('a'), { dimension: d })
  expect(segment.rowCount).toBe(50)
  expect([...segment.row(49)]).toEqual([...rows[49]!])
  segment.rewriteTo(sink('b'), flat(10, 20))
  expect(segment.rowCount).toBe(10)
  segment.append(flat(0, 1))
  segment.sync()
  segment.close()
  segment = Segment.open(sink('b'), { dimension: d })
  expect(segment.rowCount).toBe(11)
  expect([...segment.row(0)]).toEqual([...rows[10]!])
  expect(codeOf(() => segment.append(new Float32Array(d + 1)))).toBe('DIMENSION_MISMATCH')
  expect(codeOf(() => segment.search(new Float32Array(d - 1)))).toBe('DIMENSION_MISMATCH')
  expect(codeOf(() => segment.search(new Float32Array(d).fill(NaN)))).toBe('INVALID_ARGUMENT')
  for (const topK of [-1, 0.5, NaN]) expect(codeOf(() => segment.search(query, { topK }))).toBe('INVALID_ARGUMENT')
  for (const row of [11, -1, 0.5, NaN])
    expect(
      codeOf(() => segment.row(row)),
      String(row),
    ).toBe('INVALID_ARGUMENT')
  for (const dimension of [0, 1.5, 65_537, NaN])
    expect(codeOf(() => Segment.inMemory(dimension))).toBe('INVALID_ARGUMENT')
  segment.close()
  const other = sink('b')
  expect(codeOf(() => Segment.open(other, { dimension: d + 1 }))).toBe('DIMENSION_MISMATCH')
  other.close()
  const failing = () => ({
    ...sink('c'),
    close() {
      throw new Error('no')
    },
  })
  for (const work of [(s: Segment) => s.close(), (s: Segment) => s.rewriteTo(sink('d'), new Float32Array(d))]) {
    const segment = Segment.open(failing(), { dimension: d })
    expect(codeOf(() => work(segment))).toBe('STORAGE_FAILED')
  }
  expect(Segment.inMemory(d).search(new Float32Array(d), null as never)).toEqual([])
  expect(codeOf(() => Segment.open({} as SyncAccessHandle, { dimension: d }))).toBe('INVALID_ARGUMENT')
})
