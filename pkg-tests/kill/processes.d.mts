/** Returns for each runtime the command that starts it, or undefined if it is not installed. */
export const RUNTIMES: Record<'node' | 'deno' | 'bun', () => string[] | undefined>
