import { connectControls } from './app/controls'
import { again, open } from './app/keeping'
import { recall, search, showTimes } from './app/searching'
import { changes, refresh, rest, resting, session } from './app/session'
import { connectShortcuts } from './app/shortcuts'

session.retry = () => void again()
connectControls()
connectShortcuts()

changes.onmessage = ({ data }) => {
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
  void search()
})

recall()
showTimes()
void open()
// The page works offline from the second visit on. A development server has no such file.
if (__IS_BUILT__) void navigator.serviceWorker?.register('./service-worker.js').catch(() => {})
