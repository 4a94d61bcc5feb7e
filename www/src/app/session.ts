import { Embedder } from '../embedder'
import * as format from '../format'
import type { Library, PassageHit } from '../library'
import { Map2D } from '../map'
import type { Found } from '../texts/walk'
import { element, plural } from '../view/dom'
import { askToDelete, offerFolders } from '../view/form'
import { panel } from '../view/panel'
import { status } from '../view/status'
import { wordsFor } from '../words'

const ON_THE_MAP = 6000

export const map = new Map2D(element<HTMLCanvasElement>('map'))
/** Tells other tabs that the library has changed, and is told by them. */
export const changes = new BroadcastChannel('my-files')

/** The state of the page, which its parts share. */
export const session = {
  library: undefined as Library | undefined,
  embedder: newEmbedder(),
  /** The number of files. It is known once all passages have been read. */
  files: undefined as number | undefined,
  passages: 0,
  /** The hits that are shown, by id. */
  shown: new Map<string, PassageHit>(),
  /** The passage that the results are similar to, if the user chose one. */
  alike: undefined as PassageHit | undefined,
  /** Stops the indexing that is under way. */
  work: undefined as AbortController | undefined,
  /** The files that a cancelled or failed indexing has not indexed. */
  left: undefined as Found | undefined,
  waitsForModel: false,
  /** Set by `main.ts`: tries again after a failure. */
  retry: () => {},
}

export function newEmbedder() {
  return new Embedder((loaded, total) => {
    if (session.waitsForModel)
      status.phase(
        'loading-model',
        `Loading the language model: ${format.bytes(loaded)} of ${format.bytes(total)}`,
        loaded / total,
      )
  })
}

/** Shows that no work is under way. */
export function rest() {
  const { passages, files, left } = session
  element('welcome').hidden = passages > 0
  element('keys').hidden = passages === 0
  if (left) status.phase('stopped', `Stopped: ${plural(left.sources.length, 'file')} to look at, when you like`, 1)
  else if (passages === 0) status.phase('empty', 'Nothing here yet', 1)
  else
    status.phase(
      'ready',
      `Ready: ${plural(passages, 'passage')}${files === undefined ? '' : ` of ${plural(files, 'file')}`}, kept on ` +
        'this device',
      1,
    )
}

/** Returns whether no work is under way. */
export const resting = () => ['ready', 'empty', 'stopped'].includes(element('status').dataset.phase ?? '')

/** Shows the figures of the library. With `survey`, reads all passages and also shows the folders and the map. */
export async function refresh(survey: boolean) {
  const { library } = session
  if (!library) return
  const facts = await library.facts()
  session.passages = facts.docCount
  if (survey) {
    const seen = await library.survey(ON_THE_MAP)
    session.files = seen.files.size
    offerFolders([...seen.files.values()].map(({ folder }) => folder))
    if (seen.ids.length > 2)
      void map.show(seen.ids, seen.groups, seen.vectors).then(
        () => map.light([...session.shown.keys()]),
        () => {},
      )
    else map.clear()
  }
  panel.facts(facts, session.files)
  panel.embedded(session.embedder.embedded)
}

/** Stops everything, and shows the error with what can be done about it. */
export async function fail(error: unknown) {
  session.work?.abort()
  const closing = session.library
  session.library = undefined
  status.phase('failed', 'Not ready', 0)
  element('welcome').hidden = true
  status.notice(wordsFor(error), { retry: ['Try again', session.retry], delete: ['Delete all', askToDelete] })
  // The library has failed already. Closing releases its lock.
  await closing?.close().catch(() => {})
}
