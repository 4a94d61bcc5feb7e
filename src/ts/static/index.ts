import type { Backend } from '../engine/backend.js'
import { NidusError, aborted, invalid, reading } from '../errors.js'
import { checkSignal } from '../input.js'
import { STATIC, STATIC_SOURCE, checkKeys } from '../keys.js'
import { checkOpen, checkOptions } from '../options.js'
import type { Platform } from '../platform.js'
import type { StorageHost, SyncAccessHandle } from '../types/index.js'
import type { StaticBucket, StaticOptions, StaticSource } from '../types/static.js'
import { describe, isPlainObject } from '../wire.js'
import { cachedFile } from './cache.js'
import { blobFile, type StaticFile } from './file.js'
import { httpFile, type HttpOptions } from './http.js'
import { r2File } from './r2.js'
import { Ranges } from './ranges.js'

const readOnly = () => new NidusError('READ_ONLY', 'a static index is only read')

/** As the engine reads it; of what writes there is none. */
function handleOf(file: StaticFile, ranges: Ranges): SyncAccessHandle {
  const refuse = () => {
    throw readOnly()
  }
  return { readAsync: (at, length) => ranges.get(at, Math.min(length, file.size - at)), write: refuse, truncate: refuse, flush() {}, getSize: () => file.size, close() {} }
}

/** `DIR/` or `DIR`, the two files, or what a bucket has of them. */
function filesOf(source: StaticSource | string | URL): { data: unknown; log: unknown; bucket?: StaticBucket; name: string } {
  if (typeof source === 'string' || source instanceof URL) {
    const directory = `${source}`.replace(/\/?(\?.*)?$/, '/$1')
    const at = (name: string) => directory.replace(/(\?.*)?$/, `${name}$1`)
    return { data: at('data'), log: at('log'), name: `${source}` }
  }
  if (!isPlainObject(source) || !('data' in source) || !('log' in source)) throw invalid(`a static index is an address, or { data, log }, not ${describe(source)}`)
  checkKeys(source, STATIC_SOURCE, 'the source of fromStatic')
  return { data: source.data, log: source.log, ...('bucket' in source && { bucket: source.bucket }), name: typeof source.data === 'string' || source.data instanceof URL ? `${source.data}` : 'static' }
}

export async function openStatic(platform: Platform, source: StaticSource | string | URL, options: StaticOptions | undefined): Promise<Backend> {
  const { onProgress, signal: given, fetch: fetcher = globalThis.fetch?.bind(globalThis), headers = {}, cache = false, wasm, ...rest } = checkOptions(options, STATIC, 'fromStatic')
  if (onProgress !== undefined && typeof onProgress !== 'function') throw invalid(`onProgress must be a function, not ${describe(onProgress)}`)
  if (cache !== false && cache !== 'cache-storage' && cache !== 'opfs') throw invalid(`cache is ${describe(cache)}; it can be "opfs", "cache-storage" or false`)
  const signal = checkSignal(given)
  const { data, log, bucket, name } = reading('the source of fromStatic', () => filesOf(source))

  let open: StaticFile[] = []
  let opening = true
  let [taken, total] = [0, 0]
  const onBytes = (count: number) => {
    taken += count
    if (opening && onProgress && total) {
      const done = Math.min(taken, total)
      queueMicrotask(() => onProgress(done, total))
    }
  }
  const onSize = (size: number) => void (total += size)
  const http: HttpOptions = { fetch: fetcher!, headers, signal: undefined, ranged: rest.memory === 'compact', onSize, onBytes }
  const file = async (from: unknown): Promise<StaticFile> => {
    if (bucket) {
      if (typeof from !== 'string') throw invalid(`a key of a bucket is a string, not ${describe(from)}`)
      return r2File(bucket, from, http)
    }
    if (typeof Blob !== 'undefined' && from instanceof Blob) {
      onSize(from.size)
      return blobFile('a blob', from)
    }
    if (typeof from !== 'string' && !(from instanceof URL)) throw invalid(`a static file is an address or a Blob, not ${describe(from)}`)
    if (typeof fetcher !== 'function') throw invalid('there is no fetch here')
    return cache ? cachedFile(from, cache, http) : httpFile(from, http)
  }
  const host: StorageHost = {
    kind: 'static',
    async open() {
      if (signal?.aborted) throw aborted(signal)
      http.signal = signal
      // One after the other: what the second is held against is what the first was.
      total = taken = 0
      open = [await file(data), await file(log)]
      // Once it is open, searches have signals of their own.
      const ranges = open.map((each) => new Ranges((at, length) => each.read(at, length), undefined))
      return { data: handleOf(open[0]!, ranges[0]!), log: handleOf(open[1]!, ranges[1]!) }
    },
    create: async () => Promise.reject(readOnly()),
    promote: async () => Promise.reject(readOnly()),
    commit: async () => Promise.reject(readOnly()),
    destroy: async () => Promise.reject(readOnly()),
    close: async () => {},
  }
  const spec = checkOpen(name, { ...rest, readOnly: true }, host)
  try {
    const backend = await platform.openOwn(spec, host, wasm)
    try {
      // Those whose parts are not all read again later, and both together.
      await Promise.all(open.map((each) => each.check()))
    } catch (error) {
      await backend.close()
      throw error
    }
    opening = false
    http.signal = undefined
    if (onProgress && total) queueMicrotask(() => onProgress(total, total))
    return backend
  } catch (error) {
    if (signal?.aborted && !(error instanceof NidusError && error.code === 'ABORTED')) throw aborted(signal)
    throw error
  }
}
