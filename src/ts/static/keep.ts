import { NidusError } from '../errors.js'
import type { Validators } from './file.js'

/** A place for one file. */
export interface Keep {
  find(): Promise<(Validators & { blob: Blob }) | undefined>
  /** All of it, or what was there before stays. */
  put(body: ReadableStream<Uint8Array>, validators: Validators): Promise<Blob>
}

const NAME = 'nidus-static'
const unavailable = (what: string, cause?: unknown) => new NidusError('STORAGE_UNAVAILABLE', `there is no ${what} here that could keep the files`, { cause })

export async function cacheStorage(url: string): Promise<Keep> {
  if (typeof caches === 'undefined') throw unavailable('Cache Storage')
  const cache = await caches.open(NAME).catch((error: unknown) => Promise.reject(unavailable('Cache Storage', error)))
  const find = async () => {
    const kept = await cache.match(url)
    return kept && { etag: kept.headers.get('etag'), modified: kept.headers.get('last-modified'), blob: await kept.blob() }
  }
  return {
    find,
    async put(body, { etag, modified }) {
      await cache.put(url, new Response(body, { headers: { 'content-type': 'application/octet-stream', ...(etag && { etag }), ...(modified && { 'last-modified': modified }) } }))
      return (await find())!.blob
    },
  }
}

/** A file that ends with what it is: the validators, and how long they are. One file, so that no two can differ. */
export async function opfs(url: string): Promise<Keep> {
  if (!globalThis.navigator?.storage?.getDirectory) throw unavailable('private file system')
  let folder: FileSystemDirectoryHandle
  try {
    folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(NAME, { create: true })
  } catch (error) {
    throw unavailable('private file system', error)
  }
  const name = encodeURIComponent(url)
  const key = name.length <= 200 ? name : await digest(url)
  const TAIL = 4
  const find = async () => {
    let file: File
    try {
      file = await (await folder.getFileHandle(key)).getFile()
    } catch (error) {
      if ((error as DOMException)?.name === 'NotFoundError') return undefined
      throw unavailable('private file system', error)
    }
    if (file.size < TAIL) return undefined
    const length = new DataView(await file.slice(file.size - TAIL).arrayBuffer()).getUint32(0, true)
    if (length + TAIL > file.size) return undefined
    try {
      const { etag, modified } = JSON.parse(await file.slice(file.size - TAIL - length, file.size - TAIL).text()) as Validators
      return { etag, modified, blob: file.slice(0, file.size - TAIL - length) }
    } catch {
      return undefined
    }
  }
  return {
    find,
    async put(body, { etag, modified }) {
      // What is written takes the file's place when it is closed.
      const writable = await (await folder.getFileHandle(key, { create: true })).createWritable()
      await body.pipeTo(writable, { preventClose: true })
      const end = new TextEncoder().encode(JSON.stringify({ etag, modified }))
      await writable.write(end)
      await writable.write(new Uint8Array(Uint32Array.of(end.length).buffer))
      await writable.close()
      const kept = await find()
      if (!kept) throw new Error('what was kept cannot be read')
      return kept.blob
    },
  }
}

async function digest(text: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
