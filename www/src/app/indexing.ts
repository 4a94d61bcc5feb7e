import { index } from '../indexer'
import { Library } from '../stores/library'
import type { Found } from '../texts/walk'
import { element } from '../view/dom'
import { panel } from '../view/panel'
import { status } from '../view/status'
import { isAbort } from '../words'
import { search } from './searching'
import { changes, fail, refresh, rest, session } from './session'

/** Indexes files, and those that a cancelled or failed indexing has left. */
export async function add(found: Found | Promise<Found>) {
  let { sources, others } = await found
  if (session.left) sources = [...session.left.sources, ...sources]
  session.left = undefined
  const { library, embedder } = session
  if (!library) return
  if (sources.length === 0) return status.outcome({ indexed: 0, unchanged: 0, unreadable: [] }, others)
  session.work?.abort()
  const { signal } = (session.work = new AbortController())
  element('welcome').hidden = true
  element('outcome').hidden = true
  status.notice(undefined, {})
  library.askToKeep() // now there is something to lose
  const todo = { sources, others }
  try {
    status.phase('waiting', 'Another tab is indexing…')
    const outcome = await Library.alone(signal, async () => {
      session.waitsForModel = true
      if (!embedder.isReady) status.phase('loading-model', 'Loading the language model…')
      await embedder.ready.finally(() => (session.waitsForModel = false))
      signal.throwIfAborted()
      let last = 0
      return index(
        library,
        embedder,
        sources,
        (progress) => {
          status.indexing(progress)
          panel.embedded(embedder.embedded)
          if (performance.now() - last < 2000) return
          last = performance.now()
          void refresh(false).catch(() => {})
          void search()
        },
        signal,
      )
    })
    status.outcome(outcome, others)
  } catch (error) {
    session.left = todo // files that are indexed already are skipped the next time
    if (!signal.aborted || !isAbort(error)) return fail(error)
  }
  await refresh(true).catch(() => {})
  if (session.library) rest()
  void search()
  changes.postMessage('indexed')
}

/** Indexes what a cancelled or failed indexing has left. */
export const goOn = () => add({ sources: [], others: 0 })
