/** Only a fault makes a wait this long, even on a busy machine. */
const HANGS_MS = 120_000

/**
 * For a test whose parts run in other threads or pages. Each wait ends with the first failure of any part, or its error
 * names what did not come.
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
