import type { StorageHost, SyncAccessHandle } from 'nidus-wasm'

/** Returns a host in memory, as a user would write it. It fails at step number `failAt` of writing the new store. */
export function failingHost(bytes: { data: Uint8Array; log: Uint8Array }, failAt = Infinity) {
  let steps = 0
  let made = bytes
  const step = () => {
    if (++steps === failAt) throw new Error('the medium failed')
  }
  const handle = (pair: { data: Uint8Array; log: Uint8Array }, file: 'data' | 'log'): SyncAccessHandle => ({
    read: (buffer, { at }) => (
      buffer.set(pair[file].subarray(at, at + buffer.length)),
      Math.max(0, Math.min(buffer.length, pair[file].length - at))
    ),
    write(buffer, { at }) {
      step()
      const grown = new Uint8Array(Math.max(pair[file].length, at + buffer.length))
      grown.set(pair[file])
      grown.set(buffer, at)
      pair[file] = grown
      return buffer.length
    },
    truncate: (size) => (step(), void (pair[file] = pair[file].slice(0, size))),
    flush: step,
    getSize: () => pair[file].length,
    close() {},
  })
  const both = (pair: typeof bytes) => ({ data: handle(pair, 'data'), log: handle(pair, 'log') })
  const log = { destroyed: 0, steps: () => steps, current: () => bytes }
  const own: StorageHost = {
    kind: 'mine',
    async open() {
      return both(bytes)
    },
    async create() {
      step()
      return both((made = { data: new Uint8Array(), log: new Uint8Array() }))
    },
    async promote() {
      step()
      bytes = made
    },
    async commit() {},
    async close() {},
    async destroy() {
      log.destroyed++
    },
  }
  return { own, log }
}
