/** How each runtime is started, or undefined where it is not installed. */
export const RUNTIMES: Record<'node' | 'deno' | 'bun', () => string[] | undefined>
