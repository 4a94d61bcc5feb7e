/** Only what hangs takes so long. */
const HANGS_MS = 600_000

/** Resolves when `done` says yes, and asks it again and again. What never comes is named. */
export async function until(what: string, done: () => unknown, every = 5) {
  const end = performance.now() + HANGS_MS
  while (!(await done())) {
    if (performance.now() > end) throw new Error(`waited ${HANGS_MS / 60_000} minutes for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, every))
  }
}
