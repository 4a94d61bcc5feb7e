import { afterEach, expect } from 'vitest'
import { Nidus, type OpenOptions } from 'nidus-wasm'
import { patchedWorker } from './in-worker'

export const D = 4
const used: string[] = []
export const fresh = () => {
  used.push(`idb ü ${Date.now()} ${used.length}`)
  return used.at(-1)!
}
export const storage = 'indexeddb'
export const open = (name: string, options: OpenOptions = {}) => Nidus.open(name, { dimension: D, storage, ...options })
afterEach(async () => {
  for (const name of used.splice(0)) await Nidus.destroy(name, { storage })
})

export const answer = <T>(request: IDBRequest<T>) =>
  new Promise<T>(
    (resolve, reject) => (
      (request.onsuccess = () => resolve(request.result)),
      (request.onerror = () => reject(request.error))
    ),
  )
export async function inDatabase<T>(
  name: string,
  work: (meta: IDBObjectStore, extents: IDBObjectStore) => Promise<T>,
): Promise<T> {
  const db = await answer(indexedDB.open(`nidus-wasm:${name}`))
  const transaction = db.transaction(['meta', 'extents'], 'readwrite')
  const result = await work(transaction.objectStore('meta'), transaction.objectStore('extents'))
  db.close()
  return result
}
export type Row = { generation: number; data: number; log: number; epoch: string; cuts: number }
export const metaOf = (name: string) => inDatabase(name, (meta) => answer(meta.get('store') as IDBRequest<Row>))
export const extentsOf = (name: string) =>
  inDatabase(name, async (_, extents) => {
    const [keys, values] = await Promise.all([
      answer(extents.getAllKeys()),
      answer(extents.getAll() as IDBRequest<Uint8Array[]>),
    ])
    return keys.map((key, i) => {
      const [file, generation, at] = key as [string, number, number]
      return { file, generation, at, length: values[i]!.length, buffer: values[i]!.buffer.byteLength }
    })
  })

/** Checks that the extents of each file follow each other without a gap, up to the length that `meta` has. */
export async function isWhole(name: string) {
  const meta = await metaOf(name)
  const extents = await extentsOf(name)
  for (const file of ['data', 'log'] as const) {
    let end = 0
    for (const { generation, at, length, buffer } of extents.filter((extent) => extent.file === file)) {
      expect({ generation, at, buffer }).toEqual({ generation: meta.generation, at: end, buffer: length })
      expect(length).toBeLessThanOrEqual(1024 * 1024)
      end += length
    }
    expect(end).toBe(meta[file])
  }
  return extents
}

export const rows = (n: number, from = 0) =>
  Array.from({ length: n }, (_, i) => ({ id: `${from + i}`, vector: [1, from + i, 0, 0] }))

/**
 * Starts the package's worker and counts every put in it. On demand, the next transaction that puts an extent fails.
 */
export function watchedWorker(first = '') {
  const script = `
    ${first}
    let bytes = 0, puts = 0, later = 0, fault
    const put = IDBObjectStore.prototype.put
    IDBObjectStore.prototype.put = function (value, key) {
      if (!(value instanceof Uint8Array)) return put.call(this, value, key)
      bytes += value.buffer.byteLength
      puts++
      if (fault === 'quota after 8' && later++ < 8) return put.call(this, value, key)
      const now = fault === 'quota after 8' ? 'quota' : fault
      fault = undefined
      if (now === 'throw') throw new DOMException('no room', 'QuotaExceededError')
      const request = put.call(this, value, key)
      if (now === 'quota') {
        const transaction = this.transaction
        Object.defineProperty(transaction, 'error', { get: () => new DOMException('no room', 'QuotaExceededError') })
        queueMicrotask(() => transaction.abort())
      }
      if (now === 'abort') this.transaction.abort()
      if (now === 'vanish') {
        // In this case a browser closes the connection, and no other event ever comes.
        const { db } = this.transaction
        this.transaction.oncomplete = this.transaction.onabort = null
        setTimeout(() => db.dispatchEvent(new Event('close')), 20)
      }
      return request
    }
    addEventListener('message', (event) => {
      if (typeof event.data !== 'string') return
      event.stopImmediatePropagation()
      if (event.data !== 'total') fault = event.data
      if (event.data === 'die') setTimeout(() => { throw new Error('died') })
      event.ports[0]?.postMessage({ bytes, puts })
    })
  `
  let started: Worker
  return {
    worker: () => (started = patchedWorker(script)),
    ask: (what: string) =>
      new Promise<{ bytes: number; puts: number }>((resolve) => {
        const { port1, port2 } = new MessageChannel()
        port1.onmessage = ({ data }) => resolve(data as { bytes: number; puts: number })
        started.postMessage(what, [port2])
      }),
    kill: () => started.postMessage('die'),
  }
}
