// Files to import: records as lines of JSON, matrices of numbers as NumPy writes them.
import { createReadStream } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { NidusError } from '../errors.js'
import type { Attrs, ColumnarBatch } from '../types/index.js'

export const invalid = (message: string) => new NidusError('INVALID_ARGUMENT', message)

export interface Part extends ColumnarBatch {
  collection: string | undefined
  /** Bytes of the file up to here, of all. */
  read: number
  total: number
}

/** `{ "id", "vector", "attrs"?, "collection"? }` a line. */
export async function* jsonLines(path: string, total: number, batch: number): AsyncGenerator<Part> {
  let line = 0
  let read = 0
  let part: { ids: string[]; vectors: number[]; attrs: Attrs[]; collection: string | undefined } | undefined
  const done = () => ({ ...part!, vectors: new Float32Array(part!.vectors), read, total })
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    line++
    read += Buffer.byteLength(text) + 1
    if (text.trim() === '') continue
    let record: { id?: unknown; vector?: unknown; attrs?: unknown; collection?: unknown }
    try {
      record = JSON.parse(text) as typeof record
    } catch (cause) {
      throw new NidusError('INVALID_ARGUMENT', `${path}, line ${line}: no JSON`, { cause })
    }
    const { id, vector, attrs, collection } = record ?? {}
    if (typeof id !== 'string') throw invalid(`${path}, line ${line}: "id" must be a string`)
    if (!Array.isArray(vector) || !vector.every((x) => typeof x === 'number')) throw invalid(`${path}, line ${line}: "vector" must be an array of numbers`)
    if (collection !== undefined && typeof collection !== 'string') throw invalid(`${path}, line ${line}: "collection" must be a string`)
    const length = part ? part.vectors.length / part.ids.length : vector.length
    if (vector.length !== length) throw new NidusError('DIMENSION_MISMATCH', `${path}, line ${line}: the vector has ${vector.length} numbers, those before it ${length}`)
    if (part && (part.ids.length >= batch || part.collection !== collection)) {
      yield done()
      part = undefined
    }
    part ??= { ids: [], vectors: [], attrs: [], collection }
    part.ids.push(id)
    for (const x of vector) part.vectors.push(x as number)
    part.attrs.push((attrs ?? {}) as Attrs)
  }
  if (part) yield done()
}

/** A two-dimensional array of float32 or float64, row by row, little-endian; the ids from a text file, a line each, or the rows' numbers. */
export async function* npy(path: string, idsPath: string | undefined, batch: number): AsyncGenerator<Part> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const bytes = async (at: number, length: number) => {
      const buffer = new Uint8Array(length)
      const { bytesRead } = await file.read(buffer, 0, length, at)
      if (bytesRead !== length) throw invalid(`${path} ends after ${at + bytesRead} bytes, within its ${at === 0 ? 'header' : 'rows'}`)
      return buffer
    }
    const start = await bytes(0, 12)
    if (String.fromCharCode(...start.subarray(1, 6)) !== 'NUMPY' || start[0] !== 0x93) throw invalid(`${path} is no .npy file`)
    const view = new DataView(start.buffer)
    const [headerAt, headerLength] = start[6] === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)]
    if (headerLength > 65_536) throw invalid(`${path}: its header says that it is ${headerLength} bytes long`)
    const header = new TextDecoder('latin1').decode(await bytes(headerAt, headerLength))
    const type = /'descr':\s*'([^']*)'/.exec(header)?.[1]
    const shape = /'shape':\s*\((\d+),\s*(\d+),?\)/.exec(header)
    if (type !== '<f4' && type !== '<f8') throw invalid(`${path} holds ${type ?? 'what is not told'}; float32 or float64 ("<f4", "<f8") is needed`)
    if (!shape || /'fortran_order':\s*True/.test(header)) throw invalid(`${path} is not two-dimensional and row by row (C order): ${header.trim()}`)
    const [rows, dimension] = [Number(shape[1]), Number(shape[2])]
    const width = type === '<f4' ? 4 : 8
    const from = headerAt + headerLength
    if (size < from + rows * dimension * width) throw invalid(`${path} has ${size} bytes, where ${rows} x ${dimension} numbers take ${from + rows * dimension * width}`)
    const ids = idsPath ? (await readFile(idsPath, 'utf8')).replace(/\r?\n$/, '').split(/\r?\n/) : undefined
    if (ids && ids.length !== rows) throw invalid(`${idsPath} has ${ids.length} ids for ${rows} rows`)
    for (let row = 0; row < rows; row += batch) {
      const now = Math.min(batch, rows - row)
      const { buffer } = await bytes(from + row * dimension * width, now * dimension * width)
      const vectors = width === 4 ? new Float32Array(buffer) : new Float32Array(new Float64Array(buffer))
      yield { ids: ids?.slice(row, row + now) ?? Array.from({ length: now }, (_, n) => `${row + n}`), vectors, collection: undefined, read: from + (row + now) * dimension * width, total: size }
    }
  } finally {
    await file.close()
  }
}
