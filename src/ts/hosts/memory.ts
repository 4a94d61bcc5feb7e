import { NidusError } from '../errors.js'
import type { Host } from '../engine/backend.js'
import type { SyncAccessHandle } from '../types/index.js'

/** Only counts: the core keeps every row in its own memory, so a second copy would serve nobody. */
function counter(): SyncAccessHandle {
  let size = 0
  return {
    read: () => 0,
    write(buffer, { at }) {
      size = Math.max(size, at + buffer.length)
      return buffer.length
    },
    truncate(to) {
      size = to
    },
    flush() {},
    getSize: () => size,
    close() {},
  }
}

export function memoryHost(name: string): Host {
  return {
    kind: 'memory',
    lendViews: true,
    // Nothing outlives the process, so nothing needs a gate or a flush either.
    transactional: true,
    async open({ mustExist }) {
      if (mustExist) throw new NidusError('NOT_FOUND', `a store in memory is new each time: there is no "${name}"`)
      return { data: counter(), log: counter() }
    },
    create: async () => ({ data: counter(), log: counter() }),
    async promote() {},
    async commit() {},
    async close() {},
    async destroy() {},
  }
}
