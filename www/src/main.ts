import { connectControls } from './app/controls'
import { again, choose } from './app/opening'
import { recall, search } from './app/searching'
import { changes, refresh, rest, resting, session } from './app/session'
import { connectShortcuts } from './app/shortcuts'
import { SETS, wantedSet } from './sets'
import { query, showSet } from './view/form'

session.retry = () => void again()
connectControls()
connectShortcuts()

changes.onmessage = ({ data }) => {
  if (session.set !== 'files') return
  if (data === 'deleting' || data === 'imported') return location.reload()
  void refresh(true).then(
    () => {
      if (resting()) rest()
      void search()
    },
    () => {},
  )
}
// A page in the back/forward cache has to release the files of its store. When it comes back, a reload opens them
// again.
window.addEventListener('pageshow', (event) => event.persisted && location.reload())
window.addEventListener('hashchange', () => {
  recall()
  if (wantedSet() === session.set) void search()
  else void choose(wantedSet())
})

recall()
// A visitor who asks nothing yet sees an answer all the same.
if (!query.value) query.value = SETS[session.set].examples[0] ?? ''
showSet(session.set)
// The page is painted first. A hidden tab paints nothing, so it does not wait.
const painted = () =>
  new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve))
    setTimeout(resolve, 300)
  })
void painted().then(() => choose(session.set))
// The page works offline from the second visit on. A development server has no such file.
if (__IS_BUILT__) void navigator.serviceWorker?.register('./service-worker.js').catch(() => {})
