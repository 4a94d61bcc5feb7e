import type { NidusErrorCode } from '../types/segment.js'

export type { NidusErrorCode }

/** The codes that the core throws. Those that only a sharded store has are not among them. */
const CODES: ReadonlySet<string> = new Set<NidusErrorCode>([
  'INVALID_ARGUMENT',
  'DIMENSION_MISMATCH',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'READ_ONLY',
  'LOCKED',
  'CLOSED',
  'FAILED',
  'CAPACITY',
  'OUT_OF_MEMORY',
  'QUOTA_EXCEEDED',
  'STORAGE_UNAVAILABLE',
  'STORAGE_FAILED',
  'OUTCOME_UNKNOWN',
  'CORRUPT',
  'UNSUPPORTED',
  'UNSUPPORTED_VERSION',
  'ABORTED',
  'WORKER_FAILED',
])

// The main entry and ./segment may be bundled apart and used in one program. An error of one bundle must also be an
// instance of the other bundle's class.
const BRAND = Symbol.for('nidus-wasm.NidusError')

export let textWith = (_: string, message: string) => message
/**
 * Makes every later message begin with its code, for runtimes in which an error loses its own properties on the way.
 */
export const codesInMessages = (): void => void (textWith = (code, message) => `${code}: ${message}`)

export class NidusError extends Error {
  /** Consoles show this name. A minifier may rename the class. */
  static override readonly name = 'NidusError'
  readonly code: NidusErrorCode
  /** Set by `sharded/errors.ts` alone. */
  declare readonly shards?: number[]
  /** Set by `text-index/refusals.ts` alone. */
  declare readonly documents?: string[]

  constructor(code: NidusErrorCode, message: string, options?: { cause?: unknown }) {
    super(textWith(code, message), options?.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== NidusError) return Function.prototype[Symbol.hasInstance].call(this, value)
    return typeof value === 'object' && value !== null && BRAND in value
  }
}
Object.defineProperty(NidusError.prototype, 'name', { value: 'NidusError', configurable: true, writable: true })
Object.defineProperty(NidusError.prototype, BRAND, { value: true })

export const invalid = (message: string, cause?: unknown) => new NidusError('INVALID_ARGUMENT', message, { cause })
/** Returns the error of a store that is opened with another dimension. The core has the same text (`reader.rs`). */
export const otherDimension = (dimension: number, given: number) =>
  new NidusError(
    'DIMENSION_MISMATCH',
    `the store has dimension ${dimension}, not ${given}: open it with ${dimension}, or use another name for vectors ` +
      'of another model',
  )
export const closedError = (name: string) => new NidusError('CLOSED', `the store "${name}" is closed`)
export const failedError = (name: string, cause: NidusError) =>
  new NidusError('FAILED', `the store "${name}" has failed and must be opened anew: ${cause.message}`, { cause })
export const unsavedError = (name: string, writes: number, cause: NidusError | undefined) =>
  new NidusError(
    cause?.code ?? 'FAILED',
    `the store "${name}" is closed, but writes that were not yet durable (writes: ${writes}) may be lost: ` +
      `${cause?.message}`,
    { cause },
  )
export const readOnlyError = (name: string) => new NidusError('READ_ONLY', `the store "${name}" was opened read-only`)
export const aborted = (signal: AbortSignal, what = 'aborted before anything was written') =>
  new NidusError('ABORTED', what, { cause: signal.reason })

const QUOTA = new Set(['QuotaExceededError', 'ENOSPC', 'EDQUOT'])
const MISSING = new Set(['NotFoundError', 'ENOENT'])
const UNAVAILABLE = new Set([
  'SecurityError',
  'UnknownError',
  'NotSupportedError',
  'NotAllowedError',
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOTDIR',
  'NotCapable',
  'PermissionDenied',
])

/** Returns the kind of an error: the `code` of Node's errors, the `name` of a DOMException. */
function kindOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const { code, name } = error as { code?: unknown; name?: unknown }
  return typeof code === 'string' ? code : typeof name === 'string' ? name : ''
}

/** Returns the name and the message of an error, and never throws. */
function nameAndMessage(error: unknown): string {
  try {
    return error instanceof Error || kindOf(error)
      ? `${(error as Error).name}: ${(error as Error).message}`
      : String(error)
  } catch {
    return 'something that has no text'
  }
}

/** Returns the message of an Error, and the text of anything else. */
export const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

/** Reads an object of the caller's. Its getters, or a Proxy, may throw anything; that becomes INVALID_ARGUMENT. */
export function reading<T>(what: string | (() => string), read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof NidusError) throw error
    throw invalid(`${typeof what === 'string' ? what : what()} cannot be read: ${nameAndMessage(error)}`, error)
  }
}

/**
 * Returns the NidusError for something that a medium threw. `opening` says that it threw during an open, where some
 * kinds of error mean that the medium cannot be used at all.
 */
export function storageError(error: unknown, doing: string, opening = false): NidusError {
  if (error instanceof NidusError) return error
  const kind = kindOf(error)
  const code: NidusErrorCode = QUOTA.has(kind)
    ? 'QUOTA_EXCEEDED'
    : !opening
      ? 'STORAGE_FAILED'
      : kind === 'NoModificationAllowedError'
        ? 'LOCKED'
        : MISSING.has(kind)
          ? 'NOT_FOUND'
          : UNAVAILABLE.has(kind)
            ? 'STORAGE_UNAVAILABLE'
            : 'STORAGE_FAILED'
  return new NidusError(code, `${doing}: ${nameAndMessage(error)}`, { cause: error })
}

/** Returns whether the error is a trap. After a trap the wasm instance must not be used again. */
export const isTrap = (error: unknown) => error instanceof WebAssembly.RuntimeError

/** Returns whether the error comes from the core or the wrapper, and not from a medium. */
export const isCoded = (error: unknown) =>
  error instanceof NidusError || (error instanceof Error && CODES.has((error as { code?: string }).code ?? ''))

/**
 * Returns the NidusError for something that the core threw. The core throws an Error with one of our codes, whose cause
 * is the error that a handle threw first, if one did.
 */
export function coreError(error: unknown): NidusError {
  if (error instanceof NidusError) return error
  if (isTrap(error)) return new NidusError('FAILED', `the wasm core stopped: ${error.message}`, { cause: error })
  const { code, message, cause } = (error ?? {}) as { code?: string; message?: string; cause?: unknown }
  if (kindOf(error) === 'SecurityError')
    return new NidusError('STORAGE_UNAVAILABLE', `the browser denies storage here: ${nameAndMessage(error)}`, {
      cause: error,
    })
  if (code === undefined || !CODES.has(code))
    return new NidusError('FAILED', `the wasm core: ${nameAndMessage(error)}`, { cause: error })
  const first = cause instanceof NidusError ? cause.code : QUOTA.has(kindOf(cause)) ? 'QUOTA_EXCEEDED' : undefined
  return new NidusError(code === 'STORAGE_FAILED' && first ? first : (code as NidusErrorCode), message ?? code, {
    cause,
  })
}

export interface ErrorMessage {
  code: NidusErrorCode
  message: string
  cause?: { name: string; message: string }
}

/** Makes an error a plain object, to be sent: a structured clone of an Error loses its own properties. */
export function packError(error: unknown): ErrorMessage {
  const { code, message, cause } = error instanceof NidusError ? error : coreError(error)
  if (cause === undefined || cause === null) return { code, message }
  const { name, message: text } = cause as { name?: unknown; message?: unknown }
  return {
    code,
    message,
    cause: {
      name: typeof name === 'string' ? name : 'Error',
      message: typeof text === 'string' ? text : nameAndMessage(cause),
    },
  }
}

export function unpackError({ code, message, cause }: ErrorMessage): NidusError {
  if (!cause) return new NidusError(code, message)
  const original = new Error(cause.message)
  original.name = cause.name
  return new NidusError(code, message, { cause: original })
}
