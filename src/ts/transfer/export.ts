import type { Backend } from '../contract/backend.js'
import type { Exported } from '../contract/calls.js'
import { PIECE } from './source.js'
import { tarEnd, tarHeader, tarPadding } from './tar.js'

/** Writes a store as a tar. It reads one piece at a time, so that no more than one is in memory. */
export async function* tarOf(backend: Backend, { id, ...lengths }: Exported): AsyncGenerator<Uint8Array> {
  try {
    for (const file of ['data', 'log'] as const) {
      const length = lengths[file]
      yield tarHeader(file, length)
      for (let at = 0; at < length;) {
        const bytes = await backend.call('exportRead', { id, file, at, length: Math.min(PIECE, length - at) })
        at += bytes.length
        yield bytes
      }
      if (length % 512 > 0) yield tarPadding(length)
    }
  } finally {
    backend.call('exportEnd', { id }).catch(() => {})
  }
  yield tarEnd()
}
