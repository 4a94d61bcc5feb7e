import { readFileSync } from 'node:fs'
import type { Opener } from './explore'
import type { Event, Image } from './medium'
import { DIMENSION } from './plan'

/** The part of OPFS that the host uses, in memory. So the real host and the real core run in Node. */
class File {
  bytes: Uint8Array
  open = false
  constructor(
    readonly number: number,
    bytes: Uint8Array,
    readonly record: (event: Event) => void,
  ) {
    this.bytes = bytes.slice()
  }

  async getFile() {
    return new Blob([this.bytes as Uint8Array<ArrayBuffer>])
  }

  async createSyncAccessHandle() {
    if (this.open) throw new DOMException('open', 'NoModificationAllowedError')
    this.open = true
    return {
      read: (buffer: Uint8Array, { at }: { at: number }) => {
        const part = this.bytes.subarray(at, at + buffer.length)
        buffer.set(part)
        return part.length
      },
      write: (buffer: Uint8Array, { at }: { at: number }) => {
        const grown = new Uint8Array(Math.max(this.bytes.length, at + buffer.length))
        grown.set(this.bytes)
        grown.set(buffer, at)
        this.bytes = grown
        this.record({ kind: 'write', file: this.number, at, bytes: buffer.slice() })
        return buffer.length
      },
      truncate: (size: number) => {
        const other = new Uint8Array(size)
        other.set(this.bytes.subarray(0, size))
        this.bytes = other
        this.record({ kind: 'truncate', file: this.number, size })
      },
      flush: () => this.record({ kind: 'flush', file: this.number }),
      getSize: () => this.bytes.length,
      close: () => (this.open = false),
    }
  }
}

class Directory {
  readonly entries = new Map<string, Directory | File>()
  constructor(readonly make: (name: string) => Directory | File) {}
  async getDirectoryHandle(name: string, { create = false } = {}) {
    return this.#get(name, create)
  }
  async removeEntry(name: string) {
    this.entries.delete(name)
  }
  async getFileHandle(name: string, { create = false } = {}) {
    return this.#get(name, create)
  }
  #get(name: string, create: boolean) {
    if (!this.entries.has(name)) {
      if (!create) throw new DOMException(`no ${name}`, 'NotFoundError')
      this.entries.set(name, this.make(name))
    }
    return this.entries.get(name)!
  }
}

/** The browsers' entry. With the `navigator` below it runs in Node, in this thread. */
const { Nidus } = (await import(new URL('../../dist/browser.js', import.meta.url).href)) as typeof import('nidus-wasm')
const wasm = await WebAssembly.compile(readFileSync(new URL('../../dist/nidus.wasm', import.meta.url)))

export const opfs: Opener = {
  flushMakesName: true,
  // The head is the first file that is made. Its flush switches to the new pair.
  killBefore: (event) => event.kind === 'flush' && event.file === 0,
  async record(image: Image, names, files, work) {
    const events: Event[] = []
    const record = (event: Event) => events.push(event)
    const store = new Directory((name) => {
      record({ kind: 'link', name, file: files })
      return new File(files++, new Uint8Array(0), record)
    })
    for (const [name, bytes] of image) store.entries.set(name, new File(names.get(name)!, bytes, record))
    // To try the storage, the package also makes a file outside of the store's directory.
    const stores = new Directory((name) => (name === 'crash' ? store : new File(-1, new Uint8Array(0), () => {})))
    const root = new Directory(() => stores)
    Object.defineProperty(globalThis, 'navigator', {
      configurable: true,
      value: { storage: { getDirectory: async () => root } },
    })
    const options = { wasm, storage: 'opfs' } as const
    await work(
      {
        open: () => Nidus.open('crash', { dimension: DIMENSION, autoCompact: false, ...options }),
        take: (source) => Nidus.import('crash', source, { replace: true, ...options }),
      },
      (from, to) => record({ kind: 'allow', from, to }),
    )
    return events
  },
}
