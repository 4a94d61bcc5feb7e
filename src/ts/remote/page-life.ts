/**
 * A page that the browser freezes, or keeps for the way back, must hold nothing that other tabs wait for. Returns what
 * stops the watch. (Bound to a document: workers are told nothing.)
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
