import type { QueryArgs } from '../contract/query.js'
import type { TextHost } from '../engine/text-host.js'
import type { Search } from '../core/core.js'
import { encodeIds } from '../core/wire.js'
import type { Ranked } from './ranked.js'

/** Begins a search in the collections and with the filter of a question. The caller frees it. */
export const begin = ({ store, run }: TextHost, args: QueryArgs, vector: Float32Array, most: number): Search =>
  run(() =>
    store.beginSearch(vector, args.collections?.length, encodeIds(args.collections ?? []), most, NaN, args.filter),
  )

/** Returns the set of documents that match the filter of a question, or undefined if there is no filter. */
export function matching(host: TextHost, args: QueryArgs): Uint16Array | undefined {
  if (args.filter.length === 0) return undefined
  const search = begin(host, args, new Float32Array(host.store.dimension), 1)
  try {
    return host.run(() => search.among(host.store))
  } finally {
    search.free()
  }
}

/**
 * Returns the `most` documents with the highest cosines, best first and in the order of a search. `only` is the set
 * of the documents among which it finds them.
 */
export async function nearest(
  host: TextHost,
  args: QueryArgs,
  vector: Float32Array,
  most: number,
  signal: AbortSignal | undefined,
  only?: Uint16Array,
): Promise<Ranked> {
  const { store, run } = host
  const search = begin(host, args, vector, most)
  try {
    if (only) run(() => search.among(store, new Uint8Array(only.buffer, only.byteOffset, only.byteLength)))
  } catch (error) {
    search.free()
    throw error
  }
  return host.toTheEnd(
    {
      step: (rows) => {
        const found = search.advance(store, rows, 2)
        if (!found) return undefined
        const { wire, scores } = found
        found.free()
        return {
          docs: new Uint32Array(wire.buffer, wire.byteOffset, wire.byteLength / 4),
          scores: Float64Array.from(scores),
        }
      },
      free: () => search.free(),
    },
    signal,
  )
}
