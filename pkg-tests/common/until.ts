/** Only a fault makes a wait this long. */
const HANGS_MS = 600_000

/**
 * Asks `done` every `every` milliseconds, and resolves when it returns true. If that never happens, the error names
 * `what`.
 */
export async function until(what: string, done: () => unknown, every = 5) {
  const end = performance.now() + HANGS_MS
  while (!(await done())) {
    if (performance.now() > end) throw new Error(`waited ${HANGS_MS / 60_000} minutes for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, every))
  }
}
