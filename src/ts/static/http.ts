import { NidusError } from '../errors.js'
import { Answer, changed, trouble, type HttpOptions } from './answer.js'
import type { StaticFile, Validators } from './file.js'

/** As many bytes as tell of a file how it is served; of one without ETag and date as many at both its ends are compared. */
const FIRST = 64 * 1024
/** No content coding: ranges of a compressed answer are not ranges of the file. */
const PLAIN = { 'accept-encoding': 'identity' }

const rangeOf = (at: number, length: number) => `bytes=${at}-${at + length - 1}`
const equal = (one: Uint8Array, other: Uint8Array) => one.length === other.length && one.every((byte, i) => byte === other[i])
/** Weak ones say less than `If-Match` needs; they are compared all the same. */
const strong = (etag: string | null) => (etag && !etag.startsWith('W/') ? etag : undefined)
export const unlike = (one: Validators, other: Validators) => one.etag !== other.etag || one.modified !== other.modified
export const none = ({ etag, modified }: Validators) => etag === null && modified === null

/** How a file begins: all of it if the server knows no ranges, or it is short. */
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
  // What a server cannot do with ranges it may do without.
  if (answer.status === 416 || (answer.status === 206 && answer.coded)) {
    answer.drop()
    answer = await Answer.to(options, url, PLAIN)
  }
  const first = answer.check().validators
  if (answer.status !== 206) {
    const length = answer.length
    if (ranged && length !== 0) {
      // A page is told from a store before anything else is said of it.
      for await (const _ of answer.pieces()) break
      throw new NidusError('UNSUPPORTED', `${url}: its server knows no ranges, which memory: "compact" needs; use \`cache\`, or full memory`)
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
    throw trouble(url, `answered a range with ${range === null ? 'no Content-Range' : `Content-Range: ${range}`}, where bytes 0 to ${FIRST - 1} were asked for`)
  }
  onSize(size)
  return { size, ranged: true, first, bytes: await answer.bytes(onBytes, length) }
}

/** Whether it is still what it was, by its head; undefined where that does not tell. */
export async function sameHead(url: string, { size, first, ranged }: Omit<Start, 'bytes'>, options: HttpOptions): Promise<boolean | undefined> {
  const answer = await Answer.to(options, url, PLAIN, 'HEAD')
  answer.drop()
  // What is said of a compressed answer is not said of ranges.
  if (!answer.response.ok || (answer.coded && ranged)) return undefined
  const { validators, length } = answer
  if (length !== undefined && length > 0 && length !== size) return false
  if (none(first) || none(validators)) return undefined
  return !unlike(validators, first)
}

/** A file on a web server: by ranges where that knows them, else whole. */
export async function httpFile(url: string, options: HttpOptions): Promise<StaticFile> {
  const start = await startOf(url, options)
  const { size, first } = start
  const match = strong(first.etag)
  let end: Uint8Array | undefined
  const part = async (at: number, length: number, signal?: AbortSignal, onBytes = options.onBytes) => {
    const answer = await Answer.to(options, url, { range: rangeOf(at, length), ...PLAIN, ...(match && { 'if-match': match }) }, 'GET', signal)
    answer.check()
    const range = answer.response.headers.get('content-range')
    // Whatever a server makes of If-Match: another file is not this one.
    if (unlike(answer.validators, first) || (range !== null && answer.total !== size)) {
      answer.drop()
      throw changed(url)
    }
    if (answer.status !== 206 || answer.coded || !range?.startsWith(`bytes ${at}-${at + length - 1}/`)) {
      answer.drop()
      throw trouble(url, `answered ${answer.status}, ${range ?? 'without a range'}, where bytes ${at} to ${at + length - 1} were asked for`)
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
      // The head is refused, or says nothing.
      const quiet = { ...options, ranged: false, onSize() {}, onBytes() {} }
      if (!start.ranged && !none(first)) {
        const answer = (await Answer.to(options, url, PLAIN)).check()
        answer.drop()
        if (unlike(answer.validators, first)) throw changed(url)
        return
      }
      // The bytes are compared: of a server without ranges all of them.
      const again = await startOf(url, quiet)
      if (again.size !== size || unlike(again.first, first) || !equal(again.bytes, start.bytes)) throw changed(url)
      if (none(first) && end && !equal(await part(size - end.length, end.length, undefined, () => {}), end)) throw changed(url)
    },
  }
}
