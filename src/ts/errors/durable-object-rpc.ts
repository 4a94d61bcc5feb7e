import { codesInMessages } from './errors.js'

/**
 * Returns whether an error that a Durable Object's method throws reaches its caller with its code. It does with
 * `enhanced_error_serialization`, which newer compatibility dates include.
 */
const enhanced = (): boolean => {
  if (typeof navigator === 'undefined' || navigator.userAgent !== 'Cloudflare-Workers') return true
  return (structuredClone(Object.assign(new Error(''), { code: 'CODE' })) as { code?: string }).code === 'CODE'
}

/**
 * Puts codes into messages where errors would arrive without them. Entries must call it: a bundler may leave out an
 * import that is there only for its side effects.
 */
export const tellCodes = (): void => void (enhanced() || codesInMessages())

/** Returns the code of an error that came over RPC, from its property or from its message. */
export function codeOf(error: unknown): string | undefined {
  const { code, message } = (typeof error === 'object' && error !== null ? error : {}) as {
    code?: unknown
    message?: unknown
  }
  if (typeof code === 'string') return code
  return /^(?:Error: )?NidusError: ([A-Z_]+): /.exec(String(message))?.[1]
}
