/** Only a fault makes a wait this long, even on a busy machine. */
const HANGS_MS = 120_000

/**
 * Returns functions for a test whose parts run in other threads or pages. Each wait rejects at the first failure of any
 * part. If it takes too long, its error names what it waited for.
 */
export function waits(limit = HANGS_MS) {
  let fail
  const failed = new Promise((_, reject) => (fail = reject))
  failed.catch(() => {})
  return {
    fail,
    async until(what, promise) {
      let timer
      const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`nothing came in ${limit / 1000} s of waiting for ${what}`)), limit)
      })
      try {
        return await Promise.race([promise, failed, late])
      } finally {
        clearTimeout(timer)
      }
    },
  }
}
