import { nameOf } from '../contract/query.js'
import type { TextHost } from '../engine/text-host.js'
import { Reader, skipAttrs } from '../core/wire.js'
import { readNames } from './store-documents.js'

/** The number of documents that are read at once. */
const AT_ONCE = 4096

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
