/**
 * Watches whether the browser freezes the page, or keeps it in the back/forward cache. Such a page must hold nothing
 * that other tabs wait for. Returns a function that stops the watch. Only documents get these events; workers get none.
 */
export function watchPage(sleeps: () => void, wakes: () => void, hides: () => void): () => void {
  if (typeof document === 'undefined' || typeof addEventListener !== 'function') return () => {}
  const over = new AbortController()
  const { signal } = over
  addEventListener('pagehide', ({ persisted }) => persisted && sleeps(), { signal })
  document.addEventListener('freeze', sleeps, { signal })
  addEventListener('pageshow', wakes, { signal })
  document.addEventListener('resume', wakes, { signal })
  document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && hides(), { signal })
  return () => over.abort()
}
