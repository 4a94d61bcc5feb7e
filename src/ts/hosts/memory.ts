import { HEADER } from '../format/ownership.js'
import { NidusError } from '../errors/errors.js'
import type { OwnHost } from '../contract/host.js'
import type { SyncAccessHandle } from '../types/index.js'

/**
 * A file that keeps its first bytes, and only counts the others. The core has every row in its own memory, so a second
 * copy would be of no use.
 */
class Sink implements SyncAccessHandle {
  #bytes = new Uint8Array()
  #size = 0
  #keep: number

  constructor(keep: number) {
    this.#keep = keep
  }

  read(buffer: Uint8Array, { at }: { at: number }) {
    const part = this.#bytes.subarray(at, Math.min(at + buffer.length, this.#size))
    buffer.set(part)
    return part.length
  }

  write(buffer: Uint8Array, { at }: { at: number }) {
    const end = at + buffer.length
    this.#size = Math.max(this.#size, end)
    const kept = Math.min(end, this.#keep)
    if (kept > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(2 * kept, this.#keep))
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    if (kept > at) this.#bytes.set(buffer.subarray(0, kept - at), at)
    return buffer.length
  }

  keepHeader() {
    this.#keep = HEADER
    this.#bytes = this.#bytes.slice(0, HEADER)
  }

  truncate(to: number) {
    this.#size = to
  }
  flush() {}
  getSize() {
    return this.#size
  }
  close() {}
}

/** Returns a host that keeps a store in memory only. */
export function memoryHost(name: string): OwnHost {
  const pair = (keep: number) => ({ data: new Sink(keep), log: new Sink(Infinity) })
  return {
    kind: 'memory',
    lendViews: true,
    // Nothing outlives the process. So no commit mark and no flush are needed.
    transactional: true,
    rowsInCore: true,
    async open({ mustExist }) {
      if (mustExist) throw new NidusError('NOT_FOUND', `a store in memory is new each time: there is no "${name}"`)
      return pair(HEADER)
    },
    create: async (toRead) => pair(toRead ? Infinity : HEADER),
    async promote({ data }) {
      ;(data as Sink).keepHeader()
    },
    async commit() {},
    async close() {},
    async destroy() {},
  }
}
