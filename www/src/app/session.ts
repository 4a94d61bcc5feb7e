import { Embedder } from '../embedder'
import * as format from '../format'
import { SETS, wantedSet, type SetName } from '../sets'
import type { FoundHit } from '../stores/finder'
import type { Library, PassageAttrs } from '../stores/library'
import type { EntryAttrs, Shipped } from '../stores/shipped'
import type { Found } from '../texts/walk'
import { element, plural } from '../view/dom'
import { askToDelete, offerFolders } from '../view/form'
import { panel } from '../view/panel'
import { status } from '../view/status'
import { wordsFor } from '../words'

/** Tells other tabs that the library has changed, and is told by them. */
export const changes = new BroadcastChannel('my-files')

export type AnyHit = FoundHit<PassageAttrs> | FoundHit<EntryAttrs>

let embedder: Embedder | undefined

/** The state of the page, which its parts share. */
export const session = {
  set: wantedSet() as SetName,
  /** The open store of the user's files, if they are shown. */
  library: undefined as Library | undefined,
  /** The open shipped set, if one is shown. */
  shipped: undefined as Shipped | undefined,
  /** The number of files. It is known once they have been counted. */
  files: undefined as number | undefined,
  /** The number of records. */
  records: 0,
  /** The hits that are shown, by id. */
  shown: new Map<string, AnyHit>(),
  /** The hit that the results are similar to, if the user chose one. */
  alike: undefined as AnyHit | undefined,
  /** Stops the indexing that is under way. */
  work: undefined as AbortController | undefined,
  /** The files that a cancelled or failed indexing has not indexed. */
  left: undefined as Found | undefined,
  waitsForModel: false,
  /** Set by `main.ts`: tries again after a failure. */
  retry: () => {},

  get finder() {
    return this.library ?? this.shipped
  },

  /** The language model. The first use begins to load it. */
  get embedder(): Embedder {
    return (embedder ??= newEmbedder())
  },
}

/** Forgets a model that could not be loaded, so that the next use loads it again. */
export function renewModel() {
  if (!embedder?.hasFailed) return
  embedder.close()
  embedder = undefined
}

/** Returns whether the model was asked for, and whether it is ready. */
export const modelState = () => (embedder ? (embedder.isReady ? 'ready' : 'loading') : 'not asked')

function newEmbedder() {
  return new Embedder((loaded, total) => {
    const text = `Loading the language model: ${format.bytes(loaded)} of ${format.bytes(total)}`
    if (session.waitsForModel) status.phase('loading-model', text, loaded / total)
    else if (resting()) status.beside(loaded < total ? `${text}, once` : '')
  })
}

/** Shows that no work is under way. */
export function rest() {
  const { records, files, left, set, shipped } = session
  const own = set === 'files'
  element('welcome').hidden = !own || records > 0
  element('adding').hidden = !own
  element('filters').hidden = !own || records === 0
  element('keys').hidden = records === 0
  if (left) status.phase('stopped', `Stopped: ${plural(left.sources.length, 'file')} to look at, when you like`, 1)
  else if (records === 0) status.phase('empty', own ? 'No files yet' : 'Nothing here', 1)
  else {
    const { one, many } = SETS[set]
    const ofFiles = own && files !== undefined ? ` of ${plural(files, 'file')}` : ''
    const kept = shipped?.passing ? 'in memory only, as this browser gives no storage' : 'kept on this device'
    status.phase('ready', `${plural(records, one, many)}${ofFiles}, ${kept}`, 1)
  }
}

/** Returns whether no work is under way. */
export const resting = () => ['ready', 'empty', 'stopped'].includes(element('status').dataset.phase ?? '')

/** Shows the figures of the open store. With `survey`, counts the files and offers their folders. */
export async function refresh(survey: boolean) {
  const { finder, library } = session
  if (!finder) return
  const facts = await finder.facts()
  if (session.finder !== finder) return
  session.records = facts.docCount
  if (survey && library) {
    const files = await library.files()
    session.files = files.length
    offerFolders(files.map(({ folder }) => folder))
  }
  panel.facts(facts, session.files)
  panel.embedded(embedder?.embedded ?? { documents: 0, queries: 0 })
}

/** Stops everything, and shows the error with what can be done about it. */
export async function fail(error: unknown) {
  session.work?.abort()
  const closing = session.finder
  session.library = undefined
  session.shipped = undefined
  status.phase('failed', 'Not ready', 0)
  element('welcome').hidden = true
  const words = wordsFor(error)
  if (session.set !== 'files') words.actions = ['retry']
  status.notice(words, { retry: ['Try again', session.retry], delete: ['Delete all', askToDelete] })
  // The store has failed already. Closing releases its lock.
  await closing?.close().catch(() => {})
}
