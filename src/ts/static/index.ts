import type { Backend } from '../contract/backend.js'
import { NidusError, aborted, closedError, invalid, reading } from '../errors/errors.js'
import { checkSignal } from '../arguments/input.js'
import { STATIC, STATIC_SOURCE, checkKeys } from '../arguments/keys.js'
import { checkOpen, checkOptions } from '../arguments/options.js'
import type { Platform } from '../contract/platform.js'
import type { StorageHost, SyncAccessHandle } from '../types/index.js'
import type { StaticBucket, StaticOptions, StaticSource } from '../types/static.js'
import { checkString, describe, isPlainObject } from '../core/wire.js'
import { absolute, type HttpOptions } from './answer.js'
import { openKept } from './cache.js'
import { Deadlines } from './deadline.js'
import { blobFile, type Pair, type StaticFile } from './file.js'
import { httpFile } from './http.js'
import { r2File } from './r2.js'
import { Ranges } from './ranges.js'

const TIMEOUT_MS = 30_000
/** A timer with a longer delay would fire at once. */
const LONGEST_MS = 2 ** 31 - 1

const readOnly = () =>
  new NidusError('READ_ONLY', 'a store from fromStatic cannot be written: import it with Nidus.import')

/** Makes a handle that the engine can read from. It has no methods that write. */
function handleOf(file: StaticFile): SyncAccessHandle {
  const ranges = new Ranges((at, length, signal) => file.read(at, length, signal))
  const refuse = () => {
    throw readOnly()
  }
  return {
    readAsync: (at, length, signal) => ranges.get(at, Math.min(length, file.size - at), signal),
    write: refuse,
    truncate: refuse,
    flush() {},
    getSize: () => file.size,
    close() {},
  }
}

/** Finds the two files in `DIR/` or `DIR`, in an object with both, or in a bucket. */
function filesOf(source: StaticSource | string | URL): {
  data: unknown
  log: unknown
  bucket?: StaticBucket
  name: string
} {
  if (typeof source === 'string' || source instanceof URL) {
    const directory = `${source}`.replace(/\/?(\?.*)?$/, '/$1')
    const at = (name: string) => directory.replace(/(\?.*)?$/, `${name}$1`)
    return { data: at('data'), log: at('log'), name: `${source}` }
  }
  if (!isPlainObject(source) || !('data' in source) || !('log' in source))
    throw invalid(`a static index is an address, or { data, log }, not ${describe(source)}`)
  checkKeys(source, STATIC_SOURCE, 'the source of fromStatic')
  const { head, get } = (source as { bucket?: StaticBucket }).bucket ?? {}
  if ('bucket' in source && source.bucket !== undefined && (typeof head !== 'function' || typeof get !== 'function'))
    throw invalid(`bucket must be an R2 bucket's binding, not ${describe(source.bucket)}`)
  return {
    data: source.data,
    log: source.log,
    ...('bucket' in source && { bucket: source.bucket }),
    name: typeof source.data === 'string' || source.data instanceof URL ? `${source.data}` : 'static',
  }
}

function hostOf([data, log]: Pair): StorageHost {
  const refuse = async () => Promise.reject(readOnly())
  return {
    kind: 'static',
    open: async () => ({ data: handleOf(data), log: handleOf(log) }),
    create: refuse,
    promote: refuse,
    commit: refuse,
    destroy: refuse,
    close: async () => {},
  }
}

export async function openStatic(
  platform: Platform,
  source: StaticSource | string | URL,
  options: StaticOptions | undefined,
): Promise<Backend> {
  const {
    onProgress,
    signal: given,
    fetch: fetcher = globalThis.fetch?.bind(globalThis),
    headers = {},
    cache = false,
    timeout = TIMEOUT_MS,
    wasm,
    ...rest
  } = checkOptions(options, STATIC, 'fromStatic')
  if (!isPlainObject(headers)) throw invalid(`headers must be an object of strings, not ${describe(headers)}`)
  for (const [key, value] of Object.entries(headers)) checkString(value, () => `headers: ${describe(key)}`)
  if (cache !== false && cache !== 'cache-storage' && cache !== 'opfs')
    throw invalid(`cache is ${describe(cache)}; it can be "opfs", "cache-storage" or false`)
  if (!(Number.isSafeInteger(timeout) && timeout >= 1 && timeout <= LONGEST_MS))
    throw invalid(
      `timeout must be a number of milliseconds, an integer from 1 to ${LONGEST_MS}, not ${describe(timeout)}`,
    )
  const signal = checkSignal(given)
  const { data, log, bucket, name } = reading('the source of fromStatic', () => filesOf(source))
  const spec = checkOpen(
    name,
    { ...rest, readOnly: true },
    hostOf([blobFile('', new Blob()), blobFile('', new Blob())]),
  )

  let opening = true
  let [taken, total] = [0, 0]
  const report = (done: number) => {
    const all = total
    queueMicrotask(() => onProgress!(done, all))
  }
  const waits = new Deadlines(timeout, signal)
  const http: HttpOptions = {
    fetch: fetcher,
    headers,
    waits,
    ranged: rest.memory === 'compact',
    onSize: (size) => void (total += size),
    onBytes(count) {
      taken += count
      if (opening && onProgress && total) report(Math.min(taken, total))
    },
  }
  const isAddress = (from: unknown): from is string | URL => typeof from === 'string' || from instanceof URL
  const file = async (from: unknown): Promise<StaticFile> => {
    if (bucket) {
      if (typeof from !== 'string') throw invalid(`a key of a bucket is a string, not ${describe(from)}`)
      return r2File(bucket, from, http)
    }
    if (typeof Blob !== 'undefined' && from instanceof Blob) {
      http.onSize(from.size)
      return blobFile('a blob', from)
    }
    if (!isAddress(from)) throw invalid(`a static file is an address or a Blob, not ${describe(from)}`)
    if (typeof fetcher !== 'function') throw invalid('there is no fetch here')
    return httpFile(absolute(from), http)
  }
  const open = async (files: Pair): Promise<Backend> => {
    const backend = await platform.openOwn(spec, hostOf(files), wasm)
    try {
      // Both files are checked again, at the same moment.
      await Promise.all(files.map((each) => each.check()))
      return backend
    } catch (error) {
      await backend.close()
      throw error
    }
  }
  const openAny = async () => {
    if (cache && !bucket && isAddress(data) && isAddress(log)) {
      if (typeof fetcher !== 'function') throw invalid('there is no fetch here')
      return openKept(cache, { data: absolute(data), log: absolute(log) }, http, open, () => void (taken = total = 0))
    }
    // The files are opened one after the other, because the second is compared with what the first one was.
    return open([await file(data), await file(log)])
  }
  try {
    if (signal?.aborted) throw aborted(signal)
    const backend = await openAny()
    opening = false
    // The store is open. Searches have signals of their own.
    waits.signal = undefined
    if (onProgress && total) report(total)
    const close = backend.close.bind(backend)
    backend.close = () => {
      waits.end(closedError(name))
      return close()
    }
    return backend
  } catch (error) {
    if (signal?.aborted && !(error instanceof NidusError && error.code === 'ABORTED')) throw aborted(signal)
    throw error
  }
}
