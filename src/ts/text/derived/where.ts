import type { Derived } from '../../contract/derived.js'
import type { Host } from '../../contract/host.js'
import { indexeddbDerived, type Inside } from '../../hosts/indexeddb/derived.js'
import { opfsDerived } from '../../hosts/opfs/derived.js'

/** Returns the place of a host's derived file, or undefined if the host keeps none. */
export function derivedOf({ kind, derived, inside }: Host): Derived | undefined {
  if (derived) return derived
  if (!inside) return undefined
  return kind === 'opfs'
    ? opfsDerived(inside as () => Promise<FileSystemDirectoryHandle>)
    : indexeddbDerived(inside as Inside)
}
