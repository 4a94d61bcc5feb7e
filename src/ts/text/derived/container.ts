import { concat } from '../../format/bytes.js'
import { crc32 } from '../../format/crc32.js'
import { WORDS_HEAD } from '../../format/words-file.js'
import type { Place } from './place.js'

/** The most bytes of the part of a file that names its indexes, in JSON. */
const MOST_NAMES = 16 << 20
const FIXED = 16

/** Describes one index in the file. */
export interface Part {
  collection: string
  /** The names of the fields, in the order of the index. */
  fields: string[]
  bytes: number
}

/** The beginning of the file, in front of the indexes. */
export interface Contents extends Place {
  parts: Part[]
}

const wrong = (why: string) => new Error(`the file of the indexes of words ${why}`)

/** Encodes the beginning of a file. The bytes of the indexes follow it, in the order of `parts`. */
export function encodeContents({ log, sum, rows, parts }: Contents): Uint8Array[] {
  const names = new TextEncoder().encode(JSON.stringify({ log, sum, documents: rows.length, parts }))
  const numbers = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength)
  const head = new Uint8Array(FIXED)
  const view = new DataView(head.buffer)
  head.set(WORDS_HEAD)
  view.setUint32(8, names.length, true)
  view.setUint32(12, crc32(numbers, crc32(names)), true)
  return [head, names, numbers]
}

/** Reads the beginning of a file. Throws if the file has another format, is damaged or ends early. */
export async function readContents(source: Source): Promise<Contents> {
  const head = await source.take(FIXED)
  if (!WORDS_HEAD.every((byte, i) => head[i] === byte)) throw wrong('has another format')
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  const length = view.getUint32(8, true)
  if (length > MOST_NAMES) throw wrong('is damaged')
  const names = await source.take(length)
  const found = JSON.parse(new TextDecoder().decode(names)) as Contents & { documents: number }
  const counts = [found.log, found.sum, found.documents, ...found.parts.map(({ bytes }) => bytes)]
  if (!counts.every((count) => Number.isSafeInteger(count) && count >= 0)) throw wrong('is damaged')
  const numbers = await source.take(4 * found.documents)
  if (crc32(numbers, crc32(names)) !== view.getUint32(12, true)) throw wrong('is damaged')
  return { ...found, rows: new Uint32Array(numbers.buffer) }
}

/** Reads pieces in order. Takes memory only for bytes that have arrived. */
export class Source {
  readonly #pieces: AsyncIterator<Uint8Array>
  #rest = new Uint8Array(0) as Uint8Array

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]()
  }

  /** Passes the next `length` bytes to `each`, in pieces. Throws if there are fewer. */
  async pass(length: number, each: (bytes: Uint8Array) => Promise<void> | void) {
    for (let left = length; left > 0;) {
      if (this.#rest.length === 0) {
        const next = await this.#pieces.next()
        if (next.done) throw wrong('is shorter than it says')
        this.#rest = next.value
        continue
      }
      const some = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(some.length)
      left -= some.length
      await each(some)
    }
  }

  /** Returns the next bytes, in a buffer of their own. */
  async take(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array[] = []
    await this.pass(length, (some) => void parts.push(some))
    return concat(parts)
  }

  async end() {
    await this.#pieces.return?.()
  }
}
