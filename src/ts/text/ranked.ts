import type { TextHost } from '../engine/text-host.js'
import { readNames } from './store-documents.js'

/** Documents by their numbers, with their scores. */
export interface Ranked {
  docs: Uint32Array
  scores: Float64Array
}

/**
 * Returns the `most` best documents, best first. Equal scores are ordered by collection and then by id, both by their
 * UTF-8 bytes.
 */
export function best(host: TextHost, { docs, scores }: Ranked, most: number): Ranked {
  const order = Uint32Array.from(docs, (_, i) => i).sort((a, b) => scores[b] - scores[a])
  let end = Math.min(most, order.length)
  // All documents with the same score as the last one take part, because their names decide which come first.
  while (end > 0 && end < order.length && scores[order[end]] === scores[order[end - 1]]) end++
  const sorted = order.subarray(0, end)
  for (let from = 0, to: number; from < end && from < most; from = to) {
    for (to = from + 1; to < end && scores[sorted[to]] === scores[sorted[from]]; to++);
    if (to > from + 1) sortByName(host, sorted.subarray(from, to), docs)
  }
  const kept = sorted.subarray(0, most)
  return { docs: Uint32Array.from(kept, (i) => docs[i]), scores: Float64Array.from(kept, (i) => scores[i]) }
}

/** Sorts places in `docs` by the names of the documents there. */
function sortByName(host: TextHost, places: Uint32Array, docs: Uint32Array) {
  const wire = readNames(
    host,
    Uint32Array.from(places, (i) => docs[i]),
  )
  const view = new DataView(wire.buffer, wire.byteOffset, wire.byteLength)
  const starts = new Map<number, number>()
  let at = 0
  for (const place of places) {
    // A document is 1, the length and bytes of its collection, those of its id, and a count of no attributes.
    starts.set(place, at + 1)
    at += 9 + view.getUint32(at + 1, true)
    at += 16 + view.getUint32(at, true)
  }
  const compare = (a: number, b: number): number => {
    let [x, y] = [starts.get(a)!, starts.get(b)!]
    for (let part = 0; part < 2; part++) {
      const [m, n] = [view.getUint32(x, true), view.getUint32(y, true)]
      x += 8
      y += 8
      const order = compareBytes(wire.subarray(x, x + m), wire.subarray(y, y + n))
      if (order !== 0) return order
      x += m
      y += n
    }
    return 0
  }
  places.sort(compare)
}

/** Compares ids as one store does: by their bytes. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const end = Math.min(a.length, b.length)
  for (let i = 0; i < end; i++) if (a[i] !== b[i]) return a[i] - b[i]
  return a.length - b.length
}

/** Returns a set of documents: a bit for each, sixteen in a number. */
export function setOf(docs: Uint32Array): Uint16Array {
  let last = 0
  for (const doc of docs) if (doc > last) last = doc
  const set = new Uint16Array((last >> 4) + 1)
  for (const doc of docs) set[doc >> 4] |= 1 << (doc & 15)
  return set
}

/** Returns the documents that both sets have. A set that is undefined has all documents. */
export function inBoth(a: Uint16Array | undefined, b: Uint16Array | undefined): Uint16Array | undefined {
  return a && b ? a.map((bits, i) => bits & b[i]) : (a ?? b)
}

/** Returns 1 if a document is in the set, and otherwise 0. */
export const has = (set: Uint16Array, doc: number) => (set[doc >> 4] >> (doc & 15)) & 1
