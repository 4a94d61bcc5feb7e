import { NidusError, type StorageHost, type StoreFiles, type SyncAccessHandle } from 'nidus-wasm'

/**
 * A handle over a plain array of numbers. It follows the specification of handles, and not the package's code. It keeps
 * every buffer that was written and a copy of it, so that tests see if the buffer is changed afterwards.
 */
class ArrayHandle implements SyncAccessHandle {
  bytes: number[] = []
  written = 0
  flushes = 0
  closed = 0
  kept: { given: Uint8Array; copy: Uint8Array }[] = []
  onCall: (what: string) => void = () => {}
  keep = true

  read(buffer: Uint8Array, { at }: { at: number }) {
    const part = this.bytes.slice(at, at + buffer.length)
    buffer.set(part)
    return part.length
  }

  write(buffer: Uint8Array, { at }: { at: number }) {
    this.onCall('write')
    if (this.keep) this.kept.push({ given: buffer, copy: buffer.slice() })
    for (let i = 0; i < buffer.length; i++) this.bytes[at + i] = buffer[i]!
    this.written += buffer.length
    return buffer.length
  }

  truncate(size: number) {
    this.onCall('truncate')
    this.bytes.length = size
  }

  flush() {
    this.onCall('flush')
    this.flushes++
  }

  getSize() {
    return this.bytes.length
  }

  close() {
    this.closed++
  }

  untouched() {
    return this.kept.every(
      ({ given, copy }) => given.length === copy.length && copy.every((byte, i) => byte === given[i]),
    )
  }
}

/** Returns a handle that can only be read asynchronously, like IndexedDB or ranges over HTTP. */
export function asyncOnly(handle: ArrayHandle): SyncAccessHandle {
  return {
    readAsync: async (at, length) => Uint8Array.from(handle.bytes.slice(at, at + length)),
    write: (buffer, options) => handle.write(buffer, options),
    truncate: (size) => handle.truncate(size),
    flush: () => handle.flush(),
    getSize: () => handle.getSize(),
    close: () => handle.close(),
  }
}

export interface ArraysHost extends StorageHost {
  files: { data: ArrayHandle; log: ArrayHandle } | undefined
  commits: number
  locked: boolean
  made: ArrayHandle[]
}

export function arraysHost({
  onlyAsync = false,
  transactional = false,
  keep = true,
  commit,
}: { onlyAsync?: boolean; transactional?: boolean; keep?: boolean; commit?: () => Promise<void> } = {}): ArraysHost {
  const handle = () => {
    const made = new ArrayHandle()
    made.keep = keep
    host.made.push(made)
    return made
  }
  const give = (files: { data: ArrayHandle; log: ArrayHandle }): StoreFiles =>
    onlyAsync ? { data: asyncOnly(files.data), log: asyncOnly(files.log) } : files
  const fresh = new WeakMap<StoreFiles, { data: ArrayHandle; log: ArrayHandle }>()
  const host: ArraysHost = {
    kind: 'arrays',
    transactional,
    files: undefined,
    commits: 0,
    locked: false,
    made: [],
    async open({ readOnly, mustExist }) {
      if (mustExist && !host.files) throw new NidusError('NOT_FOUND', 'there is nothing')
      if (!readOnly) {
        if (host.locked) throw new NidusError('LOCKED', 'somebody has it')
        host.locked = true
      }
      host.files ??= { data: handle(), log: handle() }
      return give(host.files)
    },
    async create() {
      const files = { data: handle(), log: handle() }
      const given = give(files)
      fresh.set(given, files)
      return given
    },
    async promote(files) {
      host.files = fresh.get(files)!
    },
    async commit() {
      host.commits++
      await commit?.()
    },
    async close() {
      host.locked = false
    },
    async destroy() {
      host.files = undefined
    },
  }
  return host
}
