import { NidusError } from '../errors/errors.js'

/** A place that keeps files by name. Only small files are ever overwritten. */
export interface Place {
  find(name: string): Promise<Blob | undefined>
  write(name: string, body: ReadableStream<Uint8Array>): Promise<void>
  remove(name: string): Promise<void>
  names(): Promise<string[]>
  /**
   * Removes the files of earlier versions of this package. These versions kept each file by itself, and did not record
   * which two files belong together.
   */
  forget(urls: string[]): Promise<void>
}

const NAME = 'nidus-static-pairs'
const EARLIER = 'nidus-static'
const unavailable = (what: string, cause?: unknown) =>
  new NidusError('STORAGE_UNAVAILABLE', `there is no ${what} here that could keep the files: set cache: false`, {
    cause,
  })

/** Returns a kind of storage, or throws. Where storage is denied (in a sandboxed frame), even reading it may throw. */
async function there<T>(what: string, get: () => T | undefined | Promise<T>): Promise<T> {
  let cause: unknown
  try {
    const found = await get()
    if (found) return found
  } catch (error) {
    cause = error
  }
  throw unavailable(what, cause)
}

export async function cacheStorage(): Promise<Place> {
  const cache = await there('Cache Storage', () => globalThis.caches?.open(NAME))
  const at = (name: string) => `https://nidus.invalid/${name}`
  return {
    find: async (name) => (await cache.match(at(name)))?.blob(),
    write: (name, body) =>
      cache.put(at(name), new Response(body, { headers: { 'content-type': 'application/octet-stream' } })),
    remove: async (name) => void (await cache.delete(at(name))),
    names: async () => (await cache.keys()).map(({ url }) => url.slice(at('').length)),
    async forget(urls) {
      if (!(await caches.has(EARLIER))) return
      const earlier = await caches.open(EARLIER)
      for (const url of urls) await earlier.delete(url)
    },
  }
}

const missing = (error: unknown) => (error as { name?: string } | undefined)?.name === 'NotFoundError'

export async function opfs(): Promise<Place> {
  const root = await there('private file system', () => globalThis.navigator?.storage?.getDirectory?.())
  const folder = await there('private file system', () => root.getDirectoryHandle(NAME, { create: true }))
  const remove = async (from: FileSystemDirectoryHandle, name: string) => {
    await from
      .removeEntry(name)
      .catch((error: unknown) => (missing(error) ? undefined : Promise.reject(error as Error)))
  }
  return {
    async find(name) {
      try {
        return await (await folder.getFileHandle(name)).getFile()
      } catch (error) {
        if (missing(error)) return undefined
        throw error
      }
    },
    async write(name, body) {
      // The new bytes replace the file when the stream is closed. `pipeTo` closes it at the end.
      await body.pipeTo(await (await folder.getFileHandle(name, { create: true })).createWritable())
    },
    remove: (name) => remove(folder, name),
    async names() {
      const names: string[] = []
      for await (const name of (folder as unknown as { keys(): AsyncIterable<string> }).keys()) names.push(name)
      return names
    },
    async forget(urls) {
      const earlier = await root.getDirectoryHandle(EARLIER).catch(() => undefined)
      if (!earlier) return
      for (const url of urls) {
        const name = encodeURIComponent(url)
        await remove(earlier, name.length <= 200 ? name : await digest(url))
      }
    },
  }
}

export async function digest(text: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
