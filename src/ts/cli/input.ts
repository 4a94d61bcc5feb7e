// Reads matrices of numbers that NumPy wrote, for an import. (./jsonl.ts reads lines of JSON.)
import { open, readFile } from 'node:fs/promises'
import { NidusError } from '../errors/errors.js'
import { Writer, describe } from '../core/wire.js'

export const invalid = (message: string, cause?: unknown) => new NidusError('INVALID_ARGUMENT', message, { cause })

/** A part of a file: encoded records, or a collection and its metadata, or only the dimension. */
export interface Part {
  /** The collection. If it is undefined, the command line names it. */
  collection?: string | undefined
  dimension: number | undefined
  count?: number
  wire?: Uint8Array
  vectors?: Float32Array
  meta?: Uint8Array | undefined
  /** The bytes of the file up to here, and all bytes of the file. */
  read: number
  total: number
}

const MOST_HEADER = 65_536

/** Reads the ids from a text file with one id a line. */
async function idsOf(path: string, rows: number): Promise<string[]> {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path))
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') throw new NidusError('NOT_FOUND', `there is no ${path}`)
    if (error instanceof TypeError) throw invalid(`${path} is no UTF-8`, error)
    throw error
  }
  const ids = text.replace(/\r?\n$/, '').split(/\r?\n/)
  if (ids.length !== rows) throw invalid(`${path} has ${ids.length} ids for ${rows} rows`)
  // If two rows had the same id, only the last would stay.
  const lines = new Map<string, number>()
  ids.forEach((id, i) => {
    if (lines.has(id))
      throw invalid(`${path} has the id ${describe(id)} twice, in lines ${lines.get(id)! + 1} and ${i + 1}`)
    lines.set(id, i)
  })
  return ids
}

/** Reads the header of the file: the width of a number in bytes, the rows, and the numbers of a row. */
function shapeOf(path: string, header: string) {
  const save = "`np.save(path, array.astype('<f4'))` writes what is needed"
  const type = /'descr':\s*'([^']*)'/.exec(header)?.[1]
  if (type === undefined) throw invalid(`${path}: its header names no type of numbers: ${header.trim().slice(0, 200)}`)
  if (type === '>f4' || type === '>f8') throw invalid(`${path} holds big-endian numbers ("${type}"); ${save}`)
  if (type !== '<f4' && type !== '<f8')
    throw invalid(`${path} holds "${type}"; float32 or float64 ("<f4", "<f8") is needed: ${save}`)
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1]
  if (order === undefined)
    throw invalid(`${path}: its header does not tell the order of its numbers: ${header.trim().slice(0, 200)}`)
  const shape = /'shape':\s*\(([\d\s,]*)\)/.exec(header)?.[1]
  const sizes = shape
    ?.split(',')
    .map((size) => size.trim())
    .filter(Boolean)
    .map(Number)
  if (!sizes) throw invalid(`${path}: its header does not tell its shape: ${header.trim().slice(0, 200)}`)
  if (sizes.length !== 2)
    throw invalid(`${path} has ${sizes.length} dimensions (${sizes.join(' x ')}); two are needed: rows of numbers`)
  if (order === 'True')
    throw invalid(
      `${path} is column by column (Fortran order); \`np.save(path, np.ascontiguousarray(array))\` writes it ` +
        'row by row',
    )
  const [rows, dimension] = sizes as [number, number]
  if (dimension === 0) throw invalid(`${path} has vectors of no numbers`)
  return { rows, dimension, width: type === '<f4' ? 4 : 8 }
}

/**
 * Reads a two-dimensional array of float32 or float64, row by row, little-endian. The ids come from a text file with
 * one id a line. Without that file the numbers of the rows are the ids.
 */
export async function* npy(path: string, idsPath: string | undefined, batch: number): AsyncGenerator<Part> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const bytes = async (at: number, length: number) => {
      const buffer = new Uint8Array(length)
      for (let done = 0; done < length;) {
        const { bytesRead } = await file.read(buffer, done, length - done, at + done)
        if (bytesRead === 0)
          throw invalid(
            `${path} ends after ${at + done} bytes, within its ` +
              `${at < 12 + MOST_HEADER && at + length <= 12 + MOST_HEADER ? 'header' : 'rows'}`,
          )
        done += bytesRead
      }
      return buffer
    }
    const start = await bytes(0, Math.min(12, size))
    if (start.length < 12 || String.fromCharCode(...start.subarray(1, 6)) !== 'NUMPY' || start[0] !== 0x93)
      throw invalid(`${path} is no .npy file`)
    const version = start[6]
    if (version < 1 || version > 3)
      throw invalid(`${path} is of version ${version} of the .npy format; 1, 2 and 3 are known`)
    const view = new DataView(start.buffer)
    const [headerAt, headerLength] = version === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)]
    if (headerLength > MOST_HEADER) throw invalid(`${path}: its header says that it is ${headerLength} bytes long`)
    const { rows, dimension, width } = shapeOf(
      path,
      new TextDecoder('latin1').decode(await bytes(headerAt, headerLength)),
    )
    const from = headerAt + headerLength
    const whole = from + rows * dimension * width
    if (size !== whole) throw invalid(`${path} has ${size} bytes, where ${rows} x ${dimension} numbers take ${whole}`)
    const ids = idsPath ? await idsOf(idsPath, rows) : undefined
    for (let row = 0; row < rows; row += batch) {
      const count = Math.min(batch, rows - row)
      const { buffer } = await bytes(from + row * dimension * width, count * dimension * width)
      const vectors = width === 4 ? new Float32Array(buffer) : new Float32Array(new Float64Array(buffer))
      const bad = vectors.findIndex((x) => !Number.isFinite(x))
      if (bad >= 0)
        throw invalid(
          `${path}, row ${row + Math.floor(bad / dimension)}: number ${bad % dimension} is ${vectors[bad]} as a ` +
            '32-bit float',
        )
      const writer = new Writer(count * 24)
      for (let n = row; n < row + count; n++) {
        writer.str(ids?.[n] ?? `${n}`)
        writer.u64(0) // no attributes
      }
      yield {
        collection: undefined,
        dimension,
        count,
        wire: writer.finish(),
        vectors,
        read: from + (row + count) * dimension * width,
        total: size,
      }
    }
  } finally {
    await file.close()
  }
}
