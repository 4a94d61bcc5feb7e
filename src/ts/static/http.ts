import { NidusError, aborted, invalid } from '../errors.js'
import type { StaticFile, Validators } from './file.js'

/** As many bytes as tell of a file how it is served. */
const FIRST = 64 * 1024

const trouble = (url: string, what: string, cause?: unknown) => new NidusError('STORAGE_FAILED', `${url} ${what}`, { cause })
export function absolute(address: string | URL): string {
  try {
    return new URL(address, (globalThis as { location?: { href?: string } }).location?.href).href
  } catch (error) {
    throw invalid(`${address} is no address`, error)
  }
}
export const changed = (url: string) => new NidusError('STORAGE_FAILED', `${url} has changed since the store was opened: open it again`)

export const validators = (response: Response): Validators => ({ etag: response.headers.get('etag'), modified: response.headers.get('last-modified') })
/** Weak ones say less than `If-Match` needs; they are compared all the same. */
const strong = (etag: string | null) => (etag && !etag.startsWith('W/') ? etag : undefined)

export interface HttpOptions {
  fetch: typeof fetch
  headers: Record<string, string>
  signal: AbortSignal | undefined
  /** Only ranges will do: the whole is not to be held. */
  ranged: boolean
  /** Of one file, as soon as it is known. */
  onSize(size: number): void
  onBytes(taken: number): void
}

async function ask({ fetch, headers, signal }: HttpOptions, url: string, more: Record<string, string>, method = 'GET'): Promise<Response> {
  let response: Response
  try {
    response = await fetch(url, { method, headers: { ...headers, ...more }, cache: 'no-store', ...(signal && { signal }) })
  } catch (error) {
    if (signal?.aborted) throw aborted(signal)
    throw trouble(url, 'could not be fetched', error)
  }
  if (response.status === 404 || response.status === 410) throw new NidusError('NOT_FOUND', `there is no ${url} (${response.status})`)
  if (response.status === 412) throw changed(url)
  if (!response.ok) throw trouble(url, `answered ${response.status}`)
  return response
}

async function bodyOf(url: string, response: Response, length: number, onBytes: (taken: number) => void): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let at = 0
  try {
    const reader = response.body!.getReader()
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (at + next.value.length > length) throw new RangeError(`sent more than ${length} bytes`)
      bytes.set(next.value, at)
      at += next.value.length
      onBytes(next.value.length)
    }
  } catch (error) {
    throw trouble(url, `broke off after ${at} of ${length} bytes`, error)
  }
  if (at < length) throw trouble(url, `sent ${at} bytes instead of ${length}`)
  return bytes
}

async function wholeOf(url: string, response: Response): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer())
  } catch (error) {
    throw trouble(url, 'broke off', error)
  }
}

/** Whether it is still what it was. */
export async function checkHttp(url: string, first: Validators, options: HttpOptions) {
  const response = await ask(options, url, { 'accept-encoding': 'identity' }, 'HEAD')
  const now = validators(response)
  if (now.etag !== first.etag || now.modified !== first.modified) throw changed(url)
}

/** A file on a web server: by ranges where that knows them, else whole. */
export async function httpFile(address: string | URL, options: HttpOptions): Promise<StaticFile> {
  const url = absolute(address)
  // No content coding: ranges of a compressed answer are not ranges of the file.
  const response = await ask(options, url, { range: `bytes=0-${FIRST - 1}`, 'accept-encoding': 'identity' })
  const first = validators(response)
  if (response.status !== 206) {
    if (options.ranged) {
      await response.body?.cancel()
      throw new NidusError('UNSUPPORTED', `${url}: its server knows no ranges, which memory: "compact" needs; use \`cache\`, or full memory`)
    }
    const length = Number(response.headers.get('content-length') ?? NaN)
    const whole = Number.isSafeInteger(length) && !response.headers.get('content-encoding') ? await bodyOf(url, response, length, options.onBytes) : await wholeOf(url, response)
    options.onSize(whole.length)
    return { name: url, size: whole.length, read: async (at, length) => whole.subarray(at, at + length), check: () => checkHttp(url, first, options) }
  }
  const size = Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1] ?? NaN)
  if (!Number.isSafeInteger(size)) throw trouble(url, `answered a range without the file's length: ${response.headers.get('content-range')}`)
  options.onSize(size)
  const start = await bodyOf(url, response, Math.min(size, FIRST), options.onBytes)
  const match = strong(first.etag)
  return {
    name: url,
    size,
    async read(at, length) {
      if (at + length <= start.length) return start.subarray(at, at + length)
      const part = await ask(options, url, { range: `bytes=${at}-${at + length - 1}`, 'accept-encoding': 'identity', ...(match && { 'if-match': match }) })
      const now = validators(part)
      const range = part.headers.get('content-range')
      // Whatever a server makes of If-Match: another file is not this one.
      if (now.etag !== first.etag || now.modified !== first.modified || (range !== null && !range.endsWith(`/${size}`))) {
        await part.body?.cancel()
        throw changed(url)
      }
      if (part.status !== 206 || !range?.startsWith(`bytes ${at}-${at + length - 1}/`)) {
        await part.body?.cancel()
        throw trouble(url, `answered ${part.status}, ${range ?? 'without a range'}, where bytes ${at} to ${at + length - 1} were asked for`)
      }
      return bodyOf(url, part, length, options.onBytes)
    },
    check: () => checkHttp(url, first, options),
  }
}
