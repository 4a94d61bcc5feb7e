import { codesInMessages } from './errors.js'

/**
 * Whether an error that a Durable Object's method throws reaches its caller with its code: so it is with
 * `enhanced_error_serialization`, which newer compatibility dates bring along.
 */
export const enhanced = (): boolean => {
  if (typeof navigator === 'undefined' || navigator.userAgent !== 'Cloudflare-Workers') return true
  return (structuredClone(Object.assign(new Error(''), { code: 'CODE' })) as { code?: string }).code === 'CODE'
}

/** A function to call, not an effect of the import: a bundler may leave out an import that only has effects. */
export const tellCodes = (): void => void (enhanced() || codesInMessages())

/** The code of an error that came over RPC, whichever way. */
export function codeOf(error: unknown): string | undefined {
  const { code, message } = (typeof error === 'object' && error !== null ? error : {}) as {
    code?: unknown
    message?: unknown
  }
  if (typeof code === 'string') return code
  return /^(?:Error: )?(?:NidusError|ShardedError): ([A-Z_]+): /.exec(String(message))?.[1]
}
