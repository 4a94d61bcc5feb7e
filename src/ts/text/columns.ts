import { MOST_KEYS } from '../contract/query.js'
import type { TextHost } from '../engine/text-host.js'
import { Reader, skipValue } from '../core/wire.js'
import type { AttrValue } from '../types/index.js'
import type { Documents, Listener } from './documents.js'
import { Pace } from './pace.js'
import { readDocuments } from './store-documents.js'
import { compareValues } from './values.js'

/** The values of one attribute, for each document by its number. */
export class Column {
  /** For each document the place of its value in `values`, 0 if it has no value, or `NO_DOCUMENT`. */
  ids = new Int32Array(0)
  readonly values: (AttrValue | undefined)[] = [undefined]
  /** All documents with a lower number than this have been read. */
  seen = 0
  readonly changed = new Set<number>()
  /** The places of the values. The key is made from a value's bytes. */
  readonly #places = new Map<string, number>()
  #ranks: Int32Array | undefined
  /** The documents that were counted last, and how many of them have the value of each place. */
  #counted: { docs: Uint32Array; counts: Uint32Array } | undefined

  /** Returns the place of a value. Reads the value from its bytes if it is new. */
  place(bytes: Uint8Array, read: (reader: Reader) => AttrValue): number {
    const name = nameOf(bytes)
    let place = this.#places.get(name)
    if (place === undefined) {
      const value = oneForm(read(new Reader(bytes)))
      const whole = wholeNumber(value)
      place = (whole === undefined ? undefined : this.#places.get(whole)) ?? this.values.length
      this.#places.set(name, place)
      if (whole !== undefined) this.#places.set(whole, place)
      if (place === this.values.length) this.values.push(value)
    }
    return place
  }

  /** Sets the place of a document's value. */
  set(doc: number, place: number) {
    this.ids[doc] = place
    this.#counted = undefined
  }

  /**
   * Returns how many of these documents have the value of each place. Without a write, a question that asks for the
   * same documents gets the same counts.
   */
  countsOf(docs: Uint32Array): Uint32Array {
    if (this.#counted?.docs === docs) return this.#counted.counts
    const counts = new Uint32Array(this.values.length)
    for (const doc of docs) if (this.ids[doc] !== NO_DOCUMENT) counts[this.ids[doc]]++
    this.#counted = { docs, counts }
    return counts
  }

  /** Returns the rank of each place's value in ascending order. The rank of place 0 means nothing. */
  ranks(): Int32Array {
    if (this.#ranks?.length === this.values.length) return this.#ranks
    const order = Array.from(this.values.keys())
      .slice(1)
      .sort((a, b) => compareValues(this.values[a]!, this.values[b]!))
    const ranks = new Int32Array(this.values.length)
    let rank = 0
    order.forEach((place, i) => {
      // Two numbers can be equal although one is stored as an integer and the other as a float.
      if (i > 0 && compareValues(this.values[order[i - 1]]!, this.values[place]!) !== 0) rank++
      ranks[place] = rank
    })
    return (this.#ranks = ranks)
  }
}

/** Returns the form in which equal values are kept: a number for an integer that a number can express, and 0 for -0. */
function oneForm(value: AttrValue): AttrValue {
  if (typeof value === 'bigint' && BigInt(Number(value)) === value) return Number(value)
  return value === 0 ? 0 : value
}

/**
 * Returns a key that an integer and a float of the same value share. The bytes of a value never begin with this
 * character.
 */
const wholeNumber = (value: AttrValue): string | undefined =>
  typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value)) ? `=${value}` : undefined

export const NO_DOCUMENT = -1

/** Gives each byte a character of its own. */
const characters = new TextDecoder('windows-1252')
/** For fewer bytes than this, a loop is faster than a decoder. */
const FEW = 48

function nameOf(bytes: Uint8Array): string {
  if (bytes.length > FEW) return characters.decode(bytes)
  let name = ''
  for (let i = 0; i < bytes.length; i++) name += CHARACTERS[bytes[i]]
  return name
}
const CHARACTERS = Array.from(characters.decode(Uint8Array.from({ length: 256 }, (_, byte) => byte)))

const COLLECTION = Symbol()

/** Keeps columns up to date with the documents. A column is made when it is asked for the first time. */
export class Columns implements Listener {
  readonly #host: TextHost
  readonly #documents: Documents
  /** The columns in the order of their last use. */
  readonly #columns = new Map<string | typeof COLLECTION, Column>()

  constructor(host: TextHost, documents: Documents) {
    this.#host = host
    this.#documents = documents
    documents.listen(this)
  }

  reset() {
    this.#columns.clear()
  }

  changed(doc: number) {
    for (const column of this.#columns.values()) if (doc < column.seen) column.changed.add(doc)
  }

  /**
   * Returns the column of a key. Reads the documents that have changed, in slices, and calls `between` after each
   * slice.
   */
  of(key: string, between: () => void): Promise<Column> {
    return this.#current(key, between)
  }

  /** Returns the column with the name of each document's collection. */
  ofCollections(between: () => void): Promise<Column> {
    return this.#current(COLLECTION, between)
  }

  async #current(key: string | typeof COLLECTION, between: () => void): Promise<Column> {
    const pace = new Pace()
    for (;;) {
      this.#documents.look()
      let column = this.#columns.get(key) ?? new Column()
      // Values that no document has any more are dropped with the column.
      if (column.values.length > 2 * this.#documents.end + 1024) column = new Column()
      this.#columns.delete(key)
      this.#columns.set(key, column)
      for (const oldest of this.#columns.keys()) {
        if (this.#columns.size <= MOST_KEYS) break
        this.#columns.delete(oldest)
      }
      if (!this.#readSome(key, column, pace)) return column
      await pace.turn(between)
    }
  }

  /** Returns false if there was nothing to read. */
  #readSome(key: string | typeof COLLECTION, column: Column, pace: Pace): boolean {
    const { end } = this.#documents
    if (column.seen < end) {
      const from = column.seen
      const docs = Uint32Array.from({ length: Math.min(pace.size, end - from) }, (_, i) => from + i)
      if (column.ids.length < end) {
        const grown = new Int32Array(Math.max(end, Math.min(end * 2, column.ids.length * 2)))
        grown.set(column.ids)
        column.ids = grown
      }
      pace.timed(docs.length, () => this.#read(key, column, docs))
      column.seen = from + docs.length
      return true
    }
    if (column.changed.size === 0) return false
    const docs = Uint32Array.from([...column.changed].slice(0, pace.size))
    pace.timed(docs.length, () => this.#read(key, column, docs))
    for (const doc of docs) column.changed.delete(doc)
    return true
  }

  #read(key: string | typeof COLLECTION, column: Column, docs: Uint32Array) {
    const wire = readDocuments(this.#host, docs, key === COLLECTION ? [] : [key])
    const reader = new Reader(wire)
    const skip = () => reader.skip(reader.length())
    for (const doc of docs) {
      if (reader.u8() === 0) {
        column.set(doc, NO_DOCUMENT)
        continue
      }
      const collection = reader.at
      skip()
      const id = reader.at
      skip()
      if (reader.length() === 0) {
        column.set(doc, key === COLLECTION ? column.place(wire.subarray(collection, id), (of) => of.str()) : 0)
        continue
      }
      skip()
      const from = reader.at
      skipValue(reader)
      const value = wire.subarray(from, reader.at)
      column.set(
        doc,
        column.place(value, (of) => of.value()),
      )
    }
  }
}
