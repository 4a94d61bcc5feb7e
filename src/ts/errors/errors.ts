import type { NidusErrorCode } from '../types/segment.js'

export type { NidusErrorCode }

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

// The main entry and ./segment may be bundled apart and meet in one program; an error of the one is to be an instance
// of the other's class too.
const BRAND = Symbol.for('nidus-wasm.NidusError')

export let textWith = (_: string, message: string) => message
/** From now on a message begins with its code: where an error travels without its own properties. */
export const codesInMessages = (): void => void (textWith = (code, message) => `${code}: ${message}`)

export class NidusError extends Error {
  /** Minified, the class would be called something else in a console. */
  static override readonly name = 'NidusError'
  readonly code: NidusErrorCode

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
export const closedError = (name: string) => new NidusError('CLOSED', `the store "${name}" is closed`)
export const failedError = (name: string, cause: NidusError) =>
  new NidusError('FAILED', `the store "${name}" has failed and must be opened anew: ${cause.message}`, { cause })
export const unsavedError = (name: string, writes: number, cause: NidusError | undefined) =>
  new NidusError(
    cause?.code ?? 'FAILED',
    `the store "${name}" is closed, but what was written last and not yet durable (writes: ${writes}) may be lost: ${cause?.message}`,
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

/** DOMExceptions tell what they are by name, Node's errors by code. */
function kindOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const { code, name } = error as { code?: unknown; name?: unknown }
  return typeof code === 'string' ? code : typeof name === 'string' ? name : ''
}

function textOf(error: unknown): string {
  try {
    return error instanceof Error || kindOf(error)
      ? `${(error as Error).name}: ${(error as Error).message}`
      : String(error)
  } catch {
    return 'something that has no text'
  }
}

/** Reads an object of the caller's: its getters, or a Proxy, may throw anything. */
export function reading<T>(what: string | (() => string), read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof NidusError) throw error
    throw invalid(`${typeof what === 'string' ? what : what()} cannot be read: ${textOf(error)}`, error)
  }
}

/** What a medium threw. `opening`: at open, where some names mean that it cannot be used at all. */
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
  return new NidusError(code, `${doing}: ${textOf(error)}`, { cause: error })
}

/** Whether the wasm instance must not be used again. */
export const isTrap = (error: unknown) => error instanceof WebAssembly.RuntimeError

/** Whether this came out of the core (or is ours), not out of a medium. */
export const isCoded = (error: unknown) =>
  error instanceof NidusError || (error instanceof Error && CODES.has((error as { code?: string }).code ?? ''))

/** What the core threw: an Error with our code, and perhaps what a handle threw first. */
export function coreError(error: unknown): NidusError {
  if (error instanceof NidusError) return error
  if (isTrap(error)) return new NidusError('FAILED', `the wasm core stopped: ${error.message}`, { cause: error })
  const { code, message, cause } = (error ?? {}) as { code?: string; message?: string; cause?: unknown }
  if (kindOf(error) === 'SecurityError')
    return new NidusError('STORAGE_UNAVAILABLE', `the browser denies storage here: ${textOf(error)}`, { cause: error })
  if (code === undefined || !CODES.has(code))
    return new NidusError('FAILED', `the wasm core: ${textOf(error)}`, { cause: error })
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

/** Errors lose their own properties in a structured clone, so they travel as plain objects. */
export function packError(error: unknown): ErrorMessage {
  const { code, message, cause } = error instanceof NidusError ? error : coreError(error)
  if (cause === undefined || cause === null) return { code, message }
  const { name, message: text } = cause as { name?: unknown; message?: unknown }
  return {
    code,
    message,
    cause: {
      name: typeof name === 'string' ? name : 'Error',
      message: typeof text === 'string' ? text : textOf(cause),
    },
  }
}

export function unpackError({ code, message, cause }: ErrorMessage): NidusError {
  if (!cause) return new NidusError(code, message)
  const original = new Error(cause.message)
  original.name = cause.name
  return new NidusError(code, message, { cause: original })
}
