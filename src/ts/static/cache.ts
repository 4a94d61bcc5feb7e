import { NidusError, aborted } from '../errors.js'
import { blobFile, type StaticFile, type Validators } from './file.js'
import { absolute, checkHttp, validators, type HttpOptions } from './http.js'
import { cacheStorage, opfs } from './keep.js'

/** A file of the web that is kept here: fetched once, asked for again only to learn whether it is still the same; without a network as it was kept. */
export async function cachedFile(address: string | URL, where: 'opfs' | 'cache-storage', options: HttpOptions): Promise<StaticFile> {
  const url = absolute(address)
  const keep = await (where === 'opfs' ? opfs : cacheStorage)(url)
  const kept = await keep.find()
  const conditions: Record<string, string> = !kept ? {} : kept.etag ? { 'if-none-match': kept.etag } : kept.modified ? { 'if-modified-since': kept.modified } : {}
  let response: Response | undefined
  try {
    response = await options.fetch(url, { headers: { ...options.headers, ...conditions }, cache: 'no-store', ...(options.signal && { signal: options.signal }) })
  } catch (error) {
    if (options.signal?.aborted) throw aborted(options.signal)
    if (!kept) throw new NidusError('STORAGE_FAILED', `${url} could not be fetched`, { cause: error })
  }
  let sized = false
  const fileOf = (blob: Blob, first: Validators) => {
    if (!sized) options.onSize(blob.size)
    // Who has no network has what was kept, both of one time or not: the store's own checks remain.
    return blobFile(url, blob, async () => void (response && (await checkHttp(url, first, options))))
  }
  if (kept && (!response || response.status === 304)) return fileOf(kept.blob, kept)
  if (response!.status === 404 || response!.status === 410) throw new NidusError('NOT_FOUND', `there is no ${url} (${response!.status})`)
  if (!response!.ok) {
    await response!.body?.cancel()
    // A server in trouble is no reason to do without what is here.
    if (kept && response!.status >= 500) return ((response = undefined), fileOf(kept.blob, kept))
    throw new NidusError('STORAGE_FAILED', `${url} answered ${response!.status}`)
  }
  const size = Number(response!.headers.get('content-length') ?? NaN)
  const coded = response!.headers.get('content-encoding')
  sized = !coded && Number.isSafeInteger(size)
  if (sized) options.onSize(size)
  let taken = 0
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, to) {
      taken += chunk.length
      options.onBytes(chunk.length)
      to.enqueue(chunk)
    },
    flush() {
      if (sized && taken !== size) throw new RangeError(`${taken} bytes instead of ${size}`)
    },
  })
  const first = validators(response!)
  try {
    return fileOf(await keep.put(response!.body!.pipeThrough(counter), first), first)
  } catch (error) {
    if (options.signal?.aborted) throw aborted(options.signal)
    const full = (error as { name?: string } | undefined)?.name === 'QuotaExceededError'
    throw new NidusError(full ? 'QUOTA_EXCEEDED' : 'STORAGE_FAILED', `${url} could not be fetched and kept`, { cause: error })
  }
}
