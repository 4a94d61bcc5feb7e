import { NidusError } from 'nidus-wasm'
import { loadCorpus, type Corpus } from './corpus'
import { Embedder } from './embedder'
import * as format from './format'
import { Library } from './library'
import { view } from './view'
import { isAbort, wordsFor } from './words'

const DEBOUNCE = 120 // milliseconds: about the pause between two words of a quick typist
const KEPT_TIMES = 20
const LABELS = { retry: 'Try again', delete: 'Delete the index', build: 'Build it again' }

let embedder = newEmbedder()
let library: Library | undefined
let corpus: Corpus | undefined
let work = new AbortController()
let documents = 0
let asked = 0
let lastRefresh = 0
let broken = false
let debounce: ReturnType<typeof setTimeout> | undefined
const times: number[] = []

function newEmbedder() {
  return new Embedder((loaded, total) => {
    if (indexIsWaiting) view.phase('loading-model', modelText(loaded, total), loaded / total)
  })
}

/** Only an index that waits for the model shows it loading; beside a ready one it loads unseen. */
let indexIsWaiting = false

function modelText(loaded: number, total: number) {
  return `Loading the language model: ${format.bytes(loaded)} of ${format.bytes(total)}`
}

async function start() {
  const { signal } = (work = new AbortController())
  broken = false
  view.notice(undefined, LABELS, act)
  view.phase('opening', 'Opening the index…')
  try {
    const opened = Library.open()
    opened.catch(() => {}) // looked at once the texts are there
    corpus ??= await loadCorpus().catch((error) => {
      opened.then((each) => each.close()).catch(() => {}) // else it would stay locked for the next try
      throw error
    })
    const mine = (library = await opened)
    void mine.closed.then((closed) => {
      if (library !== mine || signal.aborted) return
      fail(closed.reason === 'failed' ? closed.error : new NidusError('CLOSED', 'closed from outside the page'))
    })
    await refreshFacts()
    if ((await mine.missing(corpus)).length > 0) {
      search() // what is there can be searched already
      view.phase('waiting', 'Another tab is building the index…', 0)
      await Library.alone(signal, () => build(mine, corpus!, signal))
    }
    view.phase('ready', `Ready: ${format.count(documents)} packages, kept on this device`, 1)
    view.embedded(embedder.embedded)
    search()
    await embedder.ready // a page that cannot read a question says so before one is asked
  } catch (error) {
    if (!signal.aborted) fail(error)
  }
}

async function build(mine: Library, corpus: Corpus, signal: AbortSignal) {
  const missing = await mine.missing(corpus)
  if (missing.length > 0) {
    const done = corpus.entries.length - missing.length
    indexIsWaiting = true
    view.phase('loading-model', 'Loading the language model…')
    await embedder.ready.finally(() => (indexIsWaiting = false))
    signal.throwIfAborted()
    view.indexing({ done, total: corpus.entries.length, perSecond: 0, secondsLeft: undefined })
    await mine.index(corpus, missing, embedder, onIndexed, signal)
  }
  await refreshFacts()
  view.announce('The index is ready')
}

function onIndexed(progress: Parameters<typeof view.indexing>[0]) {
  view.indexing(progress)
  view.embedded(embedder.embedded)
  // New documents may be better answers, but the list should not flicker under the reader.
  if (performance.now() - lastRefresh < 1000) return
  lastRefresh = performance.now()
  void refreshFacts().catch(() => {})
  search()
}

async function refreshFacts() {
  const facts = await library!.facts()
  documents = facts.documents
  view.facts(facts)
}

async function fail(error: unknown) {
  work.abort()
  const closing = library
  library = undefined
  broken = true
  view.phase('failed', 'Not ready', 0)
  view.notice(wordsFor(error), LABELS, act)
  await closing?.close().catch(() => {}) // it failed already; what matters is that its lock is let go
}

async function act(action: string) {
  if (action === 'delete') return view.askToDelete()
  if (embedder.hasFailed) {
    embedder.close()
    embedder = newEmbedder()
  }
  await start()
}

async function deleteIndex() {
  clearTimeout(debounce)
  asked++ // an answer that is under way comes too late
  work.abort()
  broken = true
  const open = library
  library = undefined
  try {
    await open?.close()
    await Library.destroy()
  } catch (error) {
    return fail(error)
  }
  documents = 0
  times.length = 0
  view.facts(undefined)
  view.searchTimes(times)
  view.noQuery(false)
  view.phase('deleted', 'The index is deleted', 0)
  view.announce('The index is deleted')
  const text = 'Its files are gone from this device. It can be built again at any time.'
  view.notice({ title: 'Nothing here', text, actions: ['retry'] }, { retry: LABELS.build }, act)
}

async function search() {
  const text = view.query
  const mine = ++asked
  remember(text)
  if (!text) return view.noQuery(library !== undefined)
  const from = library
  if (!from) return view.timing(broken ? 'Nothing to ask at the moment.' : 'As soon as the index is open…')
  if (!embedder.isReady) view.timing('As soon as the language model is loaded…')
  try {
    const { vectors, milliseconds: embedding } = await embedder.query(text)
    if (mine !== asked) return
    view.embedded(embedder.embedded)
    const { hits, milliseconds } = await from.search(vectors, view.atLeast)
    if (mine !== asked) return
    times.push(milliseconds)
    if (times.length > KEPT_TIMES) times.shift()
    view.searchTimes(times)
    const embedded = embedding > 0 ? `Embedded in ${format.milliseconds(embedding)}` : 'Embedded before'
    view.timing(`${embedded} · ${format.count(documents)} searched in ${format.milliseconds(milliseconds)}`)
    if (hits.length > 0) {
      view.results(hits)
      if (!work.signal.aborted && indexed()) view.announce(`${hits.length} packages, the nearest is ${hits[0]!.id}`)
    } else {
      view.message(documents > 0 ? 'No package has that many downloads.' : 'Nothing is indexed yet.')
    }
  } catch (error) {
    if (mine === asked && !isAbort(error) && library === from) fail(error)
  }
}

function indexed() {
  return documents === corpus?.entries.length
}

/** The question is part of the address, so a reload or a shared link asks it again. */
function remember(text: string) {
  const hash = text ? `#${new URLSearchParams({ q: text })}` : ''
  if (hash !== location.hash) history.replaceState(null, '', hash || location.pathname + location.search)
}

function recall() {
  return new URLSearchParams(location.hash.slice(1)).get('q') ?? ''
}

view.on({
  query() {
    clearTimeout(debounce)
    debounce = setTimeout(search, DEBOUNCE)
  },
  now() {
    clearTimeout(debounce)
    void search()
  },
  confirmedDelete: deleteIndex,
})

// A page that comes back from the back/forward cache had to let its files go: it opens them again.
window.addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload()
})
window.addEventListener('hashchange', () => {
  view.query = recall()
  void search()
})

view.query = recall()
view.embedded(embedder.embedded)
void start()
