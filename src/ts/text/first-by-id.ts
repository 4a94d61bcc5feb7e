import type { TextHost } from '../engine/text-host.js'
import { Reader } from '../core/wire.js'
import type { Listener } from './documents.js'
import { compareBytes, has, setOf } from './ranked.js'
import { readNames } from './store-documents.js'

/** The number of documents that are read at once. */
const AT_ONCE = 4096
/** At least this many documents are kept in order, so that further pages are near. */
const LEAST = 1024
/** Longer beginnings are not kept. */
const MOST = 65_536

interface Named {
  doc: number
  id: Uint8Array
}

const byId = (a: Named, b: Named) => compareBytes(a.id, b.id)

/**
 * Finds the first documents of a collection, ordered by the UTF-8 bytes of their ids. Keeps the beginning of the
 * collection that was asked for last, and follows the writes. So asking again reads only what has changed.
 */
export class FirstById implements Listener {
  readonly #host: TextHost
  #collection = ''
  /** The first documents of the collection in their order, or undefined if they must be found anew. */
  #first: Named[] | undefined
  /** True if these are all documents of the collection. */
  #whole = false
  readonly #changed = new Set<number>()

  constructor(host: TextHost) {
    this.#host = host
  }

  reset() {
    this.#first = undefined
    this.#changed.clear()
  }

  changed(doc: number, sameTexts: boolean) {
    // A document that was there keeps its id.
    if (!this.#first || sameTexts) return
    if (this.#changed.size >= AT_ONCE) this.reset()
    else this.#changed.add(doc)
  }

  /**
   * Returns the first `most` of these documents, which are all of one collection. `all` has all documents of the
   * collection.
   */
  of(collection: string, docs: Uint32Array, most: number, all: Uint32Array): Uint32Array {
    if (this.#collection !== collection) this.reset()
    this.#collection = collection
    this.#follow()
    const set = setOf(docs)
    const among = (named: Named[]) => named.filter(({ doc }) => has(set, doc) === 1).slice(0, most)
    const found = among(this.#first ?? [])
    if (this.#first && (found.length === most || this.#whole)) return numbers(found)
    const kept = Math.max(2 * most, LEAST)
    if (kept <= MOST && (this.#first?.length ?? 0) < most) {
      // If most documents do not count, the beginning would have too few that do.
      if (2 * docs.length >= all.length) {
        this.#first = firstById(this.#host, all, kept)
        this.#whole = this.#first.length < kept
        const found = among(this.#first)
        if (found.length === most || this.#whole) return numbers(found)
      }
    }
    return numbers(firstById(this.#host, docs, most))
  }

  /** Puts the changed documents where they belong now. */
  #follow() {
    if (!this.#first || this.#changed.size === 0) return
    const kept = this.#first.filter(({ doc }) => !this.#changed.has(doc))
    const last = this.#first.at(-1)
    const docs = Uint32Array.from(this.#changed)
    this.#changed.clear()
    for (const named of namesOf(this.#host, docs)) {
      if (named.collection !== this.#collection) continue
      // What comes after the last one may come after others that were never read.
      if (this.#whole || (last && byId(named, last) <= 0)) kept.push({ doc: named.doc, id: named.id.slice() })
    }
    this.#first = kept.sort(byId)
    if (kept.length > MOST) this.reset()
  }
}

const numbers = (named: Named[]) => Uint32Array.from(named, ({ doc }) => doc)

/** Returns the first `most` of these documents, which are all of one collection. */
function firstById(host: TextHost, docs: Uint32Array, most: number): Named[] {
  let first: Named[] = []
  // The last id among the first `most`, once there are that many.
  let last: Uint8Array | undefined
  const cut = () => {
    first.sort(byId)
    if (first.length < most) return
    first = first.slice(0, most)
    last = first[most - 1]?.id
  }
  for (let at = 0; at < docs.length; at += AT_ONCE) {
    for (const { doc, id } of namesOf(host, docs.subarray(at, at + AT_ONCE))) {
      if (last && compareBytes(id, last) > 0) continue
      first.push({ doc, id: id.slice() })
      if (first.length >= 2 * most + AT_ONCE) cut()
    }
  }
  cut()
  return first
}

/** Iterates over those of the documents that exist. The bytes of an id may be kept only as a copy. */
function* namesOf(host: TextHost, docs: Uint32Array): Generator<Named & { readonly collection: string }> {
  const wire = readNames(host, docs)
  const reader = new Reader(wire)
  for (const doc of docs) {
    if (reader.u8() === 0) continue
    const at = reader.at
    reader.skip(reader.length())
    const length = reader.length()
    const id = wire.subarray(reader.at, reader.at + length)
    reader.skip(length)
    reader.length()
    yield {
      doc,
      id,
      get collection() {
        return new Reader(wire.subarray(at)).str()
      },
    }
  }
}
