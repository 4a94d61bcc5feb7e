import { NidusError } from '../errors/errors.js'
import { Answer, changed, trouble, type HttpOptions } from './answer.js'
import type { StaticFile, Validators } from './file.js'

/**
 * The first request asks for this many bytes, to see how the server serves the file. If the server sends neither ETag
 * nor date, this many bytes at both ends of the file are compared.
 */
const FIRST = 64 * 1024
/** Asks for no content coding: ranges of a compressed answer are not ranges of the file. */
const PLAIN = { 'accept-encoding': 'identity' }

const rangeOf = (at: number, length: number) => `bytes=${at}-${at + length - 1}`
const equal = (one: Uint8Array, other: Uint8Array) =>
  one.length === other.length && one.every((byte, i) => byte === other[i])
/** Weak ETags are not allowed in `If-Match`. They are compared nevertheless. */
const strong = (etag: string | null) => (etag && !etag.startsWith('W/') ? etag : undefined)
export const unlike = (one: Validators, other: Validators) => one.etag !== other.etag || one.modified !== other.modified
export const none = ({ etag, modified }: Validators) => etag === null && modified === null

/** The first bytes of a file. They are the whole file if it is short, or if the server has no range requests. */
interface Start {
  size: number
  ranged: boolean
  first: Validators
  bytes: Uint8Array
}

async function startOf(url: string, options: HttpOptions): Promise<Start> {
  const { ranged, onSize, onBytes } = options
  let answer = await Answer.to(options, url, { range: rangeOf(0, FIRST), ...PLAIN })
  if (answer.status === 416 && answer.total === 0) {
    answer.drop()
    onSize(0)
    return { size: 0, ranged: true, first: answer.validators, bytes: new Uint8Array() }
  }
  // Without ranges, the server can still send the whole file.
  if (answer.status === 416 || (answer.status === 206 && answer.coded)) {
    answer.drop()
    answer = await Answer.to(options, url, PLAIN)
  }
  const first = answer.check().validators
  if (answer.status !== 206) {
    const length = answer.length
    if (ranged && length !== 0) {
      // Reading a piece refuses an HTML page. This comes before any other complaint.
      for await (const _ of answer.pieces()) break
      throw new NidusError(
        'UNSUPPORTED',
        `${url}: its server knows no ranges, which memory: "compact" needs; use \`cache\`, or full memory`,
      )
    }
    if (length !== undefined) onSize(length)
    const bytes = await answer.bytes(onBytes)
    if (length === undefined) onSize(bytes.length)
    return { size: bytes.length, ranged: false, first, bytes }
  }
  const size = answer.total
  const range = answer.response.headers.get('content-range')
  const length = Math.min(size ?? 0, FIRST)
  if (size === undefined || !range!.startsWith(`bytes 0-${length - 1}/`)) {
    answer.drop()
    throw trouble(
      url,
      `answered a range with ${range === null ? 'no Content-Range' : `Content-Range: ${range}`}, where bytes 0 to ` +
        `${FIRST - 1} were asked for`,
    )
  }
  onSize(size)
  return { size, ranged: true, first, bytes: await answer.bytes(onBytes, length) }
}

/** Returns whether the file is still the same, by a HEAD request. Returns undefined if that does not tell. */
export async function sameHead(
  url: string,
  { size, first, ranged }: Omit<Start, 'bytes'>,
  options: HttpOptions,
): Promise<boolean | undefined> {
  const answer = await Answer.to(options, url, PLAIN, 'HEAD')
  answer.drop()
  // The headers of a compressed answer say nothing about ranges.
  if (!answer.response.ok || (answer.coded && ranged)) return undefined
  const { validators, length } = answer
  if (length !== undefined && length > 0 && length !== size) return false
  if (none(first) || none(validators)) return undefined
  return !unlike(validators, first)
}

/** Opens a file on a web server: by ranges if the server has them, else completely. */
export async function httpFile(url: string, options: HttpOptions): Promise<StaticFile> {
  const start = await startOf(url, options)
  const { size, first } = start
  const match = strong(first.etag)
  let end: Uint8Array | undefined
  const part = async (at: number, length: number, signal?: AbortSignal, onBytes = options.onBytes) => {
    const answer = await Answer.to(
      options,
      url,
      { range: rangeOf(at, length), ...PLAIN, ...(match && { 'if-match': match }) },
      'GET',
      signal,
    )
    answer.check()
    const range = answer.response.headers.get('content-range')
    // A server may ignore If-Match. A file with other validators is not this one.
    if (unlike(answer.validators, first) || (range !== null && answer.total !== size)) {
      answer.drop()
      throw changed(url)
    }
    if (answer.status !== 206 || answer.coded || !range?.startsWith(`bytes ${at}-${at + length - 1}/`)) {
      answer.drop()
      throw trouble(
        url,
        `answered ${answer.status}, ${range ?? 'without a range'}, where bytes ${at} to ${at + length - 1} were ` +
          'asked for',
      )
    }
    return answer.bytes(onBytes, length)
  }
  return {
    name: url,
    size,
    async read(at, length, signal) {
      if (at + length <= start.bytes.length) return start.bytes.subarray(at, at + length)
      const bytes = await part(at, length, signal)
      if (at + length === size) end ??= bytes.slice(-FIRST)
      return bytes
    },
    async check() {
      const same = await sameHead(url, start, options)
      if (same) return
      if (same === false) throw changed(url)
      // The server refuses HEAD requests, or its answer says too little.
      const quiet = { ...options, ranged: false, onSize() {}, onBytes() {} }
      if (!start.ranged && !none(first)) {
        const answer = (await Answer.to(options, url, PLAIN)).check()
        answer.drop()
        if (unlike(answer.validators, first)) throw changed(url)
        return
      }
      // The bytes are compared. Without ranges these are all bytes of the file.
      const again = await startOf(url, quiet)
      if (again.size !== size || unlike(again.first, first) || !equal(again.bytes, start.bytes)) throw changed(url)
      if (none(first) && end && !equal(await part(size - end.length, end.length, undefined, () => {}), end))
        throw changed(url)
    },
  }
}
