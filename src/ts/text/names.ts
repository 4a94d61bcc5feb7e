import { nameOf } from '../contract/query.js'
import type { TextHost } from '../engine/text-host.js'
import { Reader, skipAttrs } from '../core/wire.js'
import { compareBytes } from './ranked.js'
import { readNames } from './store-documents.js'

/** The number of documents that are read at once. */
const AT_ONCE = 4096

interface Named {
  doc: number
  id: Uint8Array
}

const byId = (a: Named, b: Named) => compareBytes(a.id, b.id)

/**
 * Returns the first `most` of these documents, which are all of one collection, ordered by the UTF-8 bytes of their
 * ids.
 */
export function firstById(host: TextHost, docs: Uint32Array, most: number): Uint32Array {
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
    const some = docs.subarray(at, at + AT_ONCE)
    const wire = readNames(host, some)
    const reader = new Reader(wire)
    const skip = () => reader.skip(reader.length())
    for (const doc of some) {
      if (reader.u8() === 0) continue
      skip()
      const length = reader.length()
      const id = wire.subarray(reader.at, reader.at + length)
      reader.skip(length)
      reader.length()
      if (last && compareBytes(id, last) > 0) continue
      first.push({ doc, id: id.slice() })
      if (first.length >= 2 * most + AT_ONCE) cut()
    }
  }
  cut()
  return Uint32Array.from(first, ({ doc }) => doc)
}

/** Returns those of the documents that have one of the names. */
export function named(host: TextHost, docs: Uint32Array, names: { collection: string; id: string }[]) {
  const wanted = new Set(names.map(nameOf))
  const found: number[] = []
  for (let at = 0; at < docs.length; at += AT_ONCE) {
    const some = docs.subarray(at, at + AT_ONCE)
    const reader = new Reader(readNames(host, some))
    for (const doc of some) {
      if (reader.u8() === 0) continue
      if (wanted.has(nameOf({ collection: reader.str(), id: reader.str() }))) found.push(doc)
      skipAttrs(reader)
    }
  }
  return Uint32Array.from(found)
}
