import type { SyncAccessHandle } from '../../types/index.js'
import { Extents, MAX_EXTENT, SMALL, damaged, type FileName, type StoredExtent, type Plan } from '../extents.js'
import type { Transaction } from './database.js'

type Key = [file: FileName, generation: number, at: number]

/** `from`: no extent that begins before it matters. */
export type Read = (sink: ExtentSink, at: number, length: number, from: number) => Promise<Uint8Array>

/** Keys of a file's extents in one generation, from `at` on, up to `end`. An array sorts behind every number. */
export const extentsOf = (file: FileName, generation: number, at = 0, end: number | [] = []) =>
  IDBKeyRange.bound([file, generation, at], [file, generation, end])

/** Extents under keys of their own in an object store. */
export class ExtentSink extends Extents implements SyncAccessHandle {
  /** Here an extent begins: who reads on from here needs nothing before it. */
  boundary = 0
  readonly #read: Read

  constructor(file: FileName, generation: number, length: number, check: () => void, read: Read) {
    super(file, generation, length, check)
    this.#read = read
  }

  /** Committed bytes only, and perhaps fewer than asked for. */
  async readAsync(at: number, length: number): Promise<Uint8Array> {
    if (at + length > this.committed)
      throw new Error(`only committed bytes can be read, which ${length} at ${at} are not`)
    return this.#read(this, at, length, at === this.boundary ? at : Math.max(0, at - MAX_EXTENT + 1))
  }

  /** Everything of the plan, into a transaction. */
  put({ extents, then }: Transaction, plan: Plan) {
    const { file, generation } = this
    const key = (at: number): Key => [file, generation, at]
    if (plan.cutAt !== undefined) {
      const cutAt = plan.cutAt
      extents.delete(extentsOf(file, generation, cutAt))
      // The one that the cut goes through. One that merely ends there is left as it is.
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

/** Anything else under such a key is another program's. */
export const isExtent = (value: unknown): value is Uint8Array => value instanceof Uint8Array

/**
 * The small extents at a file's end, in order, as long as they are small and neighbours; the file must end where it
 * should.
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

/** A structured clone of a view takes all of its buffer along. */
const whole = (bytes: Uint8Array) => (bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice())
