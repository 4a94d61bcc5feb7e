import type { SyncAccessHandle } from '../../types/index.js'
import { Extents, MAX_EXTENT, SMALL, damaged, type FileName, type StoredExtent, type Plan } from '../extents.js'
import type { Transaction } from './database.js'

type Key = [file: FileName, generation: number, at: number]

/** Reads bytes of a file. Extents that begin before `from` hold none of them. */
type Read = (sink: ExtentSink, at: number, length: number, from: number) => Promise<Uint8Array>

/**
 * Returns the range of keys of a file's extents in one generation, from `at` to `end`. By default it has no end,
 * because an array sorts behind every number.
 */
export const extentsOf = (file: FileName, generation: number, at = 0, end: number | [] = []) =>
  IDBKeyRange.bound([file, generation, at], [file, generation, end])

/** One file of a store. Each of its extents is an entry of an object store. */
export class ExtentSink extends Extents implements SyncAccessHandle {
  /** A place where an extent begins. A read from here needs no extent before it. */
  boundary = 0
  readonly #read: Read

  constructor(file: FileName, generation: number, length: number, check: () => void, read: Read) {
    super(file, generation, length, check)
    this.#read = read
  }

  /** Reads committed bytes only. May return fewer bytes than asked for. */
  async readAsync(at: number, length: number): Promise<Uint8Array> {
    if (at + length > this.committed) throw new Error(`${length} bytes at ${at} are not committed: they cannot be read`)
    return this.#read(this, at, length, at === this.boundary ? at : Math.max(0, at - MAX_EXTENT + 1))
  }

  /** Carries out the plan in a transaction. */
  put({ extents, then }: Transaction, plan: Plan) {
    const { file, generation } = this
    const key = (at: number): Key => [file, generation, at]
    if (plan.cutAt !== undefined) {
      const cutAt = plan.cutAt
      extents.delete(extentsOf(file, generation, cutAt))
      // Shortens the extent that the cut goes through. An extent that ends at the cut stays as it is.
      const range = extentsOf(file, generation, Math.max(0, cutAt - MAX_EXTENT), cutAt - 1)
      if (cutAt > 0)
        then(extents.openCursor(range, 'prev'), (cursor) => {
          const at = (cursor?.key as Key | undefined)?.[2]
          const bytes = cursor?.value as Uint8Array | undefined
          if (at === undefined || !isExtent(bytes) || at + bytes.length < cutAt) throw damaged(file, cutAt)
          if (at + bytes.length > cutAt) cursor!.update(bytes.slice(0, cutAt - at))
        })
    }
    if (plan.merged) extents.delete(extentsOf(file, generation, ...plan.merged))
    for (const { at, bytes } of plan.puts) extents.put(whole(bytes), key(at))
  }
}

/** Returns whether a value is an extent. Any other value belongs to another program. */
export const isExtent = (value: unknown): value is Uint8Array => value instanceof Uint8Array

/**
 * Finds the small extents at the end of a file, in order. It stops at the first one that is large or not a neighbour.
 * Throws if the file does not end at the recorded length.
 */
export function smallEnd(
  { extents, then }: Transaction,
  file: FileName,
  generation: number,
  length: number,
  found: (small: StoredExtent[]) => void,
) {
  const small: StoredExtent[] = []
  let end = length
  then(extents.openCursor(extentsOf(file, generation), 'prev'), (cursor) => {
    const at = (cursor?.key as Key | undefined)?.[2] ?? 0
    const bytes = cursor?.value as Uint8Array | undefined
    if (cursor && !isExtent(bytes)) throw damaged(file, at)
    if (end === length && at + (bytes?.length ?? 0) !== end) throw damaged(file, end)
    if (!cursor || !bytes || bytes.length > SMALL || at + bytes.length !== end) return found(small)
    small.unshift({ at, bytes })
    end = at
    cursor.continue()
  })
}

/** Copies a view that is only a part of its buffer. A structured clone of it would copy the whole buffer. */
const whole = (bytes: Uint8Array) => (bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice())
