import { NidusError } from '../errors.js'
import { blobFile, type StaticFile } from './file.js'
import { validators, type HttpOptions } from './http.js'

const CACHE = 'nidus-static'

const unavailable = (cause: unknown) => new NidusError('STORAGE_UNAVAILABLE', 'there is no Cache Storage here that could keep the files', { cause })

/** A file of the web kept in Cache Storage: fetched once, asked for again only to learn whether it is still the same; without a network as it was kept. */
export async function cachedFile(address: string | URL, options: HttpOptions): Promise<StaticFile> {
  const url = new URL(address, (globalThis as { location?: { href?: string } }).location?.href).href
  if (typeof caches === 'undefined') throw unavailable(undefined)
  const cache = await caches.open(CACHE).catch((error: unknown) => Promise.reject(unavailable(error)))
  const kept = await cache.match(url)
  const { etag, modified } = kept ? validators(kept) : { etag: null, modified: null }
  const conditions: Record<string, string> = kept ? { ...(etag ? { 'if-none-match': etag } : modified ? { 'if-modified-since': modified } : {}) } : {}
  let response: Response | undefined
  try {
    response = await options.fetch(url, { headers: { ...options.headers, ...conditions }, cache: 'no-store', ...(options.signal && { signal: options.signal }) })
  } catch (error) {
    if (options.signal?.aborted) throw new NidusError('ABORTED', 'the opening was aborted', { cause: options.signal.reason })
    if (!kept) throw new NidusError('STORAGE_FAILED', `${url} could not be fetched`, { cause: error })
  }
  if (response && response.status !== 304) {
    if (response.status === 404 || response.status === 410) throw new NidusError('NOT_FOUND', `there is no ${url} (${response.status})`)
    if (response.ok) {
      // put() takes the whole body, or nothing.
      let taken = response
      if (response.body) {
        const counter = new TransformStream<Uint8Array, Uint8Array>({ transform: (chunk, to) => (options.onBytes(chunk.length), to.enqueue(chunk)) })
        taken = new Response(response.body.pipeThrough(counter), { headers: response.headers })
      }
      try {
        await cache.put(url, taken)
      } catch (error) {
        const full = error instanceof DOMException && error.name === 'QuotaExceededError'
        throw new NidusError(full ? 'QUOTA_EXCEEDED' : 'STORAGE_FAILED', `${url} could not be kept`, { cause: error })
      }
    } else if (!kept) throw new NidusError('STORAGE_FAILED', `${url} answered ${response.status}`)
  }
  const found = await cache.match(url)
  if (!found) throw new NidusError('STORAGE_FAILED', `${url} was not kept`)
  return blobFile(url, await found.blob())
}
