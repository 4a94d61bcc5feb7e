import { NidusError } from 'nidus-wasm'
import { rememberSet, SETS, type SetName } from '../sets'
import { Library } from '../stores/library'
import { Shipped } from '../stores/shipped'
import { element, plural } from '../view/dom'
import { query, showSet } from '../view/form'
import { status } from '../view/status'
import { goOn } from './indexing'
import { dropAnswer, search } from './searching'
import { fail, refresh, renewModel, rest, resting, session } from './session'

let opened = 0

/** Shows a set: closes what is open, and opens its store. */
export async function choose(set: SetName, ask?: string) {
  const mine = ++opened
  dropAnswer()
  session.work?.abort()
  session.alike = undefined
  const before = session.finder
  Object.assign(session, { set, library: undefined, shipped: undefined, records: 0, files: undefined })
  rememberSet(set)
  showSet(set)
  status.phase('opening', 'Opening…')
  void search() // empties the results
  await before?.close().catch(() => {})
  if (mine !== opened) return
  if (ask !== undefined) query.value = ask
  await open()
}

/** Opens the store of the chosen set, and asks the question in the form. */
export const open = () => (session.set === 'files' ? openFiles() : openShipped(session.set))

function watch(finder: Library | Shipped) {
  void finder.closed.then((closed) => {
    if (session.finder === finder && closed.reason === 'failed' && isRoomless(closed.error)) return // it is noticed
    if (session.finder === finder)
      void fail(closed.reason === 'failed' ? closed.error : new NidusError('CLOSED', 'closed from outside the page'))
  })
}

/** Opens a shipped set. If the browser gives no room for it, it is kept in memory for this visit. */
async function openShipped(set: Exclude<SetName, 'files'>, passing = false) {
  const mine = opened
  status.notice(undefined, {})
  let asked = false
  try {
    const shipped = await Shipped.open(
      set,
      ({ done, total }) => {
        if (mine !== opened || done === 0) return
        session.records = done
        if (done < total)
          status.phase('filling', `Preparing ${plural(total, SETS[set].one, SETS[set].many)}, this once`, done / total)
        // The first rows have the answers to the examples. The rest joins them at the end.
        if (session.shipped && !asked) void search()
        asked ||= !!session.shipped
      },
      passing,
    )
    if (mine !== opened) return void shipped.close().catch(() => {})
    session.shipped = shipped
    watch(shipped)
    await refresh(false)
    if (session.records > 0) void search()
    await shipped.complete
    if (mine !== opened) return
    await refresh(false)
    rest()
    await search()
    loadModel()
    await shipped.settled()
    // The first figures were those of an engine that was still busy with the rows.
    if (mine === opened && session.shipped === shipped) await search()
  } catch (error) {
    if (mine !== opened) return
    if (passing || !isRoomless(error)) return void fail(error)
    const { shipped } = session
    session.shipped = undefined
    await shipped?.close().catch(() => {})
    if (mine === opened) await openShipped(set, true)
  }
}

const isRoomless = (error: unknown) =>
  error instanceof NidusError && ['STORAGE_UNAVAILABLE', 'QUOTA_EXCEEDED'].includes(error.code)

/** Loads the model behind the first answer, unless the visitor wants to save data. */
function loadModel() {
  const { connection } = navigator as { connection?: { saveData?: boolean } }
  if (connection?.saveData) return
  void session.embedder.ready.catch(() => {}) // the first question that needs it says so
}

/** Opens the user's files. */
export async function openFiles(opening: Promise<Library> = Library.open()) {
  const mine = opened
  status.notice(undefined, {})
  session.files = undefined
  status.phase('opening', 'Opening…')
  try {
    const library = await opening
    if (mine !== opened) return void library.close().catch(() => {})
    session.library = library
    watch(library)
    await refresh(false)
    rest()
    void search()
    // This reads a record of each file, so nothing waits for it.
    void refresh(true).then(
      () => session.library === library && resting() && rest(),
      () => {},
    )
    await session.embedder.ready // if the model cannot be loaded, the page says so before a question is asked
  } catch (error) {
    if (mine === opened) void fail(error)
  }
}

/** Opens the store again after a failure, and goes on with an indexing that failed. */
export async function again() {
  renewModel()
  if (session.shipped) {
    status.notice(undefined, {})
    return search()
  }
  await open()
  if (session.left && session.library) await goOn()
}

/** Hides what an earlier indexing said. */
export const forgetOutcome = () => void (element('outcome').hidden = true)
