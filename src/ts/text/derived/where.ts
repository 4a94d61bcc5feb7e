import type { Derived } from '../../contract/derived.js'
import type { Host } from '../../contract/host.js'
import { indexeddbDerived, type Inside } from '../../hosts/indexeddb/derived.js'
import { opfsDerived } from '../../hosts/opfs/derived.js'

/** Returns where a host keeps the file of the indexes of words, if it keeps one. */
export function derivedOf({ kind, derived, inside }: Host): Derived | undefined {
  if (derived) return derived
  if (!inside) return undefined
  return kind === 'opfs'
    ? opfsDerived(inside as () => Promise<FileSystemDirectoryHandle>)
    : indexeddbDerived(inside as Inside)
}
