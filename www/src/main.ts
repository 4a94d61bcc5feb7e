import { NidusError } from 'nidus-wasm'
import { Embedder } from './embedder'
import * as format from './format'
import { index } from './indexer'
import { Library, type PassageHit, type Wanted } from './library'
import { Map2D } from './map'
import { sampleSources } from './texts/sample'
import { ACCEPT, type Source, type Type } from './texts/read'
import { dropped, picked, type Found } from './texts/walk'
import { element, plural, setText } from './view/dom'
import { panel } from './view/panel'
import { read, results, type Acts } from './view/results'
import { status } from './view/status'
import { isAbort, wordsFor } from './words'

const DEBOUNCE = 120 // milliseconds: about the pause between two words of a quick typist
const SAMPLES = 1000
const ON_THE_MAP = 6000

const query = element<HTMLInputElement>('query')
const fields = {
  folder: element<HTMLSelectElement>('folder'),
  type: element<HTMLSelectElement>('type'),
  since: element<HTMLSelectElement>('since'),
  path: element<HTMLInputElement>('path'),
}
const map = new Map2D(element<HTMLCanvasElement>('map'))
const times: number[] = []
const shown = new Map<string, PassageHit>()
/** Other tabs have changed what this one shows. */
const changes = new BroadcastChannel('my-files')

let library: Library | undefined
let embedder = newEmbedder()
let files: number | undefined
let passages = 0
let asked = 0
let alike: PassageHit | undefined
let debounce: ReturnType<typeof setTimeout> | undefined
let work: AbortController | undefined
/** What a cancelled indexing has left to do. */
let left: Found | undefined
let waitsForModel = false

function newEmbedder() {
  return new Embedder((loaded, total) => {
    if (waitsForModel)
      status.phase(
        'loading-model',
        `Loading the language model: ${format.bytes(loaded)} of ${format.bytes(total)}`,
        loaded / total,
      )
  })
}

async function open(opening: Promise<Library> = Library.open()) {
  status.notice(undefined, {})
  files = undefined
  status.phase('opening', 'Opening…')
  try {
    const mine = (library = await opening)
    void mine.closed.then((closed) => {
      if (library === mine)
        fail(closed.reason === 'failed' ? closed.error : new NidusError('CLOSED', 'closed from outside the page'))
    })
    await refresh(false)
    rest()
    void search()
    // All is gone through for that: nobody waits.
    void refresh(true).then(
      () => library === mine && resting() && rest(),
      () => {},
    )
    await embedder.ready // a page that cannot read a question says so before one is asked
  } catch (error) {
    fail(error)
  }
}

/** The state in which nothing is being done. */
function rest() {
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

/** Whether nothing is being done. */
const resting = () => ['ready', 'empty', 'stopped'].includes(element('status').dataset.phase ?? '')

/** What the panel tells; with `survey` the folders and the map, too, for which all is gone through. */
async function refresh(survey: boolean) {
  const mine = library
  if (!mine) return
  const facts = await mine.facts()
  passages = facts.docCount
  if (survey) {
    const seen = await mine.survey(ON_THE_MAP)
    files = seen.files.size
    folders([...seen.files.values()].map(({ folder }) => folder))
    if (seen.ids.length > 2)
      void map.show(seen.ids, seen.groups, seen.vectors).then(
        () => map.light([...shown.keys()]),
        () => {},
      )
    else map.clear()
  }
  panel.facts(facts, files)
  panel.embedded(embedder.embedded)
}

function folders(of: string[]) {
  const all = new Set(
    of.flatMap((folder) => folder.split('/').map((_, n, parts) => parts.slice(0, n + 1).join('/'))).filter(Boolean),
  )
  const kept = fields.folder.value
  fields.folder.replaceChildren(new Option('all', ''), ...[...all].sort().map((folder) => new Option(folder, folder)))
  fields.folder.value = all.has(kept) ? kept : ''
}

async function fail(error: unknown) {
  work?.abort()
  const closing = library
  library = undefined
  status.phase('failed', 'Not ready', 0)
  element('welcome').hidden = true
  status.notice(wordsFor(error), { retry: ['Try again', again], delete: ['Delete all', askToDelete] })
  await closing?.close().catch(() => {}) // it failed already; what matters is that its lock is let go
}

async function again() {
  if (embedder.hasFailed) {
    embedder.close()
    embedder = newEmbedder()
  }
  await open()
  if (left && library) await goOn()
}

async function add(found: Found | Promise<Found>) {
  let { sources, others } = await found
  if (left) sources = [...left.sources, ...sources]
  left = undefined
  const mine = library
  if (!mine) return
  if (sources.length === 0) return status.outcome({ indexed: 0, unchanged: 0, unreadable: [] }, others)
  work?.abort()
  const { signal } = (work = new AbortController())
  element('welcome').hidden = true
  element('outcome').hidden = true
  status.notice(undefined, {})
  mine.askToKeep() // now there is something to lose
  const todo = { sources, others }
  try {
    status.phase('waiting', 'Another tab is indexing…')
    const outcome = await Library.alone(signal, async () => {
      waitsForModel = true
      if (!embedder.isReady) status.phase('loading-model', 'Loading the language model…')
      await embedder.ready.finally(() => (waitsForModel = false))
      signal.throwIfAborted()
      let last = 0
      return index(
        mine,
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
    left = todo // what is indexed already is passed over the next time
    if (!signal.aborted || !isAbort(error)) return fail(error)
  }
  await refresh(true).catch(() => {})
  if (library) rest()
  void search()
  changes.postMessage('indexed')
}

/** With what a cancelled or failed indexing left. */
const goOn = () => add({ sources: [], others: 0 })

function wanted(): Wanted {
  const days = Number(fields.since.value)
  return {
    folder: fields.folder.value || undefined,
    type: (fields.type.value as Type) || undefined,
    path: fields.path.value.trim() || undefined,
    since: days ? new Date(Date.now() - days * 86_400_000) : undefined,
  }
}

/**
 * What is shown belongs to this question and these filters; nothing while an answer is due. For who drives the page
 * from outside.
 */
function answered(asked: string[] | undefined) {
  const { dataset } = element('results')
  if (asked) dataset.answers = JSON.stringify(asked)
  else delete dataset.answers
}
const question = () => [query, fields.folder, fields.type, fields.path, fields.since].map(({ value }) => value.trim())

async function search() {
  const text = query.value.trim()
  const mine = ++asked
  const whole = question()
  answered(undefined)
  remember(text)
  element('alike').hidden = !alike
  const from = library
  if (!from || (!text && !alike) || passages === 0) {
    shown.clear()
    map.light([])
    results.clear()
    answered(whole)
    return status.timing('Say what it is about, in your own words.')
  }
  try {
    let vector: Float32Array
    let embedded = 'By the passage itself'
    if (alike) {
      setText(element('alike-text'), `More like “${alike.attrs.headings.at(-1) ?? alike.attrs.file}”`)
      vector = (await from.vector(alike.id)) ?? new Float32Array()
      if (vector.length === 0) throw new DOMException('the passage is gone', 'AbortError')
    } else {
      if (!embedder.isReady) status.timing('As soon as the language model is loaded…')
      const answer = await embedder.query(text)
      vector = answer.vectors
      embedded =
        answer.milliseconds > 0 ? `Understood in ${format.milliseconds(answer.milliseconds)}` : 'Understood before'
    }
    if (mine !== asked) return
    panel.embedded(embedder.embedded)
    const { hits, milliseconds } = await from.search(vector, wanted())
    if (mine !== asked) return
    times.push(milliseconds)
    panel.times(times)
    status.timing(`${embedded} · ${plural(passages, 'passage')} searched in ${format.milliseconds(milliseconds)}`)
    const others = alike ? hits.filter(({ id }) => id !== alike!.id) : hits
    shown.clear()
    for (const hit of others) shown.set(hit.id, hit)
    map.light([...shown.keys()])
    if (others.length > 0) results.show(others, text, acts)
    else results.say('Nothing matches these filters.')
    answered(whole)
  } catch (error) {
    if (mine === asked && !isAbort(error) && library === from) fail(error)
  }
}

const acts: Acts = {
  async open(hit) {
    try {
      read(hit, (await library?.around(hit.attrs, 4)) ?? [], query.value)
    } catch (error) {
      fail(error)
    }
  },
  alike(hit) {
    alike = hit
    void search()
    element('alike-clear').focus()
  },
}

/** The question is part of the address, so that a reload asks it again. */
function remember(text: string) {
  const hash = text ? `#${new URLSearchParams({ q: text })}` : ''
  if (hash !== location.hash) history.replaceState(null, '', hash || location.pathname + location.search)
}
const recall = () => new URLSearchParams(location.hash.slice(1)).get('q') ?? ''

async function exportAll() {
  if (!library) return
  try {
    status.timing('Exporting…')
    const blob = await new Response(library.export()).blob()
    const link = document.createElement('a')
    link.href = URL.createObjectURL(blob)
    link.download = 'my-files.tar'
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
    status.timing(`Exported ${format.bytes(blob.size)}: a tar that native nidus reads, too`)
  } catch (error) {
    fail(error)
  }
}

async function importAll(file: File) {
  const before = library
  library = undefined
  status.phase('opening', `Importing ${file.name}…`)
  await before?.close().catch(() => {})
  let refused: unknown
  await open(
    Library.import(file, (done, total) =>
      status.phase('opening', `Importing ${file.name}…`, total ? done / total : undefined),
    ).catch((error) => {
      refused = error
      return Library.open() // what there was is as it was
    }),
  )
  if (refused)
    status.notice(
      {
        ...wordsFor(refused),
        title: 'This file could not be imported',
        text: 'What was here before is as it was.',
        actions: [],
      },
      {},
    )
  changes.postMessage('imported')
}

async function compact() {
  try {
    status.timing('Compacting…')
    await library?.compact()
    await refresh(false)
    status.timing('Compacted: no dead rows any more')
  } catch (error) {
    fail(error)
  }
}

const askToDelete = () => element<HTMLDialogElement>('confirm').showModal()

async function deleteAll() {
  asked++ // an answer that is under way comes too late
  work?.abort()
  left = undefined
  alike = undefined
  const mine = library
  library = undefined
  try {
    changes.postMessage('deleting')
    await mine?.close()
    await Library.destroy()
  } catch (error) {
    return fail(error)
  }
  times.length = 0
  panel.times(times)
  element('outcome').hidden = true
  await open()
  status.announce('Everything is deleted')
}

// What a person does.
function soon() {
  answered(undefined)
  clearTimeout(debounce)
  debounce = setTimeout(() => void search(), DEBOUNCE)
}
query.oninput = () => {
  alike = undefined
  soon()
}
fields.path.oninput = soon
for (const field of [fields.folder, fields.type, fields.since]) field.onchange = () => void search()
element('form').onsubmit = (event) => {
  event.preventDefault()
  clearTimeout(debounce)
  void search()
}
element('alike-clear').onclick = () => {
  alike = undefined
  query.focus()
  void search()
}
element('cancel').onclick = () => work?.abort()
element('resume').onclick = () => void goOn()
element('sample').onclick = () =>
  void add(
    sampleSources(SAMPLES).then(
      (sources: Source[]) => ({ sources, others: 0 }),
      (error) => (fail(error), { sources: [], others: 0 }),
    ),
  )
element('compact').onclick = () => void compact()
element('export').onclick = () => void exportAll()
element('delete').onclick = askToDelete
element('confirm-no').onclick = () => element<HTMLDialogElement>('confirm').close()
element('confirm-yes').onclick = () => {
  element<HTMLDialogElement>('confirm').close()
  void deleteAll()
}
for (const [id, field] of [
  ['pick-files', 'files'],
  ['pick-folder', 'folder-files'],
  ['import', 'tar'],
] as const)
  element(id).onclick = () => element(field).click()
element<HTMLInputElement>('files').accept = ACCEPT
for (const id of ['files', 'folder-files']) {
  const field = element<HTMLInputElement>(id)
  field.onchange = () => {
    void add(picked(field.files ?? []))
    field.value = ''
  }
}
const tar = element<HTMLInputElement>('tar')
tar.onchange = () => {
  const [file] = tar.files ?? []
  if (file) void importAll(file)
  tar.value = ''
}

const drop = element('drop')
window.addEventListener('dragenter', (event) => {
  if (event.dataTransfer?.types.includes('Files')) drop.hidden = false
})
window.addEventListener('dragover', (event) => event.preventDefault())
window.addEventListener('dragleave', (event) => {
  if (!event.relatedTarget) drop.hidden = true
})
window.addEventListener('drop', (event) => {
  event.preventDefault()
  drop.hidden = true
  if (event.dataTransfer) void add(dropped(event.dataTransfer.items))
})

window.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return
  const { target } = event
  const typing = target instanceof HTMLSelectElement || (target instanceof HTMLInputElement && target !== query)
  const hit = shown.get(results.current ?? '')
  if (event.key === '/' && target !== query && !typing) query.focus()
  else if (event.key === 'ArrowDown' && !typing) results.move(1)
  else if (event.key === 'ArrowUp' && !typing && target !== query) results.move(-1)
  else if (event.key === 'Enter' && hit && target instanceof HTMLLIElement) void acts.open(hit)
  else if (event.key.toLowerCase() === 'm' && hit && target !== query && !typing) acts.alike(hit)
  else if (event.key === 'Escape' && hit) query.focus()
  else return
  event.preventDefault()
})

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
// A page that comes back from the back/forward cache had to let its files go: it opens them again.
window.addEventListener('pageshow', (event) => event.persisted && location.reload())
window.addEventListener('hashchange', () => {
  query.value = recall()
  void search()
})

query.value = recall()
panel.times(times)
void open()
// Offline from the second visit on. A development server has no such file.
if (__IS_BUILT__) void navigator.serviceWorker?.register('./service-worker.js').catch(() => {})
