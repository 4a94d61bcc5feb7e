import * as format from '../format'
import { sureHits } from '../judge'
import { SETS } from '../sets'
import type { Question } from '../stores/finder'
import { element, plural, setText } from '../view/dom'
import { meaning, query, question, showExamples, wanted } from '../view/form'
import { panel } from '../view/panel'
import { read } from '../view/reader'
import { results, type Acts } from '../view/results'
import { status } from '../view/status'
import { isAbort, wordsFor } from '../words'
import { fail, modelState, session, type AnyHit } from './session'

/**
 * How long to wait after a key before the model reads the question, in milliseconds. It is about the pause of a quick
 * typist between two words. The words are searched at once.
 */
const DEBOUNCE = 120

let asked = 0
let said = ''

/**
 * Records in the page which question and filters the results answer, for programs that drive the page. Undefined: none
 * yet.
 */
function answered(asked: string[] | undefined) {
  const { dataset } = element('results')
  if (asked) dataset.answers = JSON.stringify(asked)
  else delete dataset.answers
}

/** How long an answer took in milliseconds: for the page, and in the engine alone. */
interface Timed {
  milliseconds: number
  engine: number | undefined
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/**
 * Searches for the question in the form, or for records like the chosen one, and shows the results. The words answer
 * first. When the model has read the question, the meaning counts, too.
 */
export async function search(wait = 0) {
  const text = query.value.trim()
  const mine = ++asked
  const whole = question()
  const { alike, finder, shipped } = session
  answered(undefined)
  remember(text)
  element('alike').hidden = !alike
  element('clear').hidden = !query.value
  showExamples(text)
  if (!finder || (!text && !alike) || session.records === 0) return nothingAsked(whole)
  try {
    if (alike) {
      const vector = await finder.vector(alike.id)
      if (!vector) throw new DOMException('the record is gone', 'AbortError')
      if (mine !== asked) return
      setText(element('alike-text'), `More like “${nameOf(alike)}”`)
      return await answer({ text: '', vector, meaning: 1 }, whole, mine, undefined)
    }
    const share = meaning()
    if (share === 0) return await answer({ text, meaning: 0 }, whole, mine, undefined)
    const known = shipped?.known.get(text) ?? session.embedder.known(text)
    if (known) return await answer({ text, vector: known, meaning: share }, whole, mine, 0)
    await answer({ text, meaning: 0, typing: true }, undefined, mine, undefined)
    if (wait) await pause(wait)
    if (mine !== asked) return
    if (modelState() !== 'ready') status.timing('By words alone, until the language model is loaded')
    const { vectors, milliseconds } = await session.embedder.query(text)
    if (mine !== asked) return
    await answer({ text, vector: vectors, meaning: meaning() }, whole, mine, milliseconds)
  } catch (error) {
    if (mine !== asked || isAbort(error) || session.finder !== finder) return
    if (session.embedder.hasFailed && session.set !== 'files') return withoutModel(error, whole)
    void fail(error)
  }
}

function nothingAsked(whole: string[]) {
  session.shown.clear()
  results.clear()
  panel.times(undefined)
  if (query.value.trim() && session.set === 'files' && session.records === 0 && session.finder)
    results.say('Nothing to search yet. Add files first, or choose the dictionary above.')
  if (session.finder) answered(whole) // while a set is opened, its answer is still to come
  status.timing(session.finder ? 'Ask something, or choose a question.' : '')
}

/** Says that the meaning cannot count. The words go on. */
function withoutModel(error: unknown, whole: string[]) {
  const words = wordsFor(error)
  status.notice({ ...words, text: `${words.text} Words are still found.` }, { retry: ['Try again', session.retry] })
  status.timing('By words alone: the language model is missing')
  answered(whole)
}

/** Searches, and shows the hits. `whole` is the question that they answer, undefined if a better answer follows. */
async function answer(asking: Question, whole: string[] | undefined, mine: number, model: number | undefined) {
  const { library, shipped, set, alike } = session
  const found = library ? await library.search(asking, wanted()) : await shipped?.ask(asking)
  if (!found || mine !== asked) return
  const hits: AnyHit[] = alike ? found.hits.filter(({ id }) => id !== alike.id) : found.hits
  const wordsAlone = !asking.vector
  // The words alone found nothing: what is there stays, and the meaning will answer in a moment.
  if (!whole && hits.length === 0 && session.shown.size > 0) return
  const sure = alike ? hits.length : sureHits(hits, SETS[set].floor, wordsAlone)
  session.shown.clear()
  for (const hit of hits) session.shown.set(hit.id, hit)
  results.show(hits, sure, { set, question: asking.text, filtered: whole?.slice(1).some(Boolean) ?? false }, acts)
  panel.embedded(session.embedder.embedded)
  measure(found, model, wordsAlone)
  if (whole) {
    answered(whole)
    announce(hits, sure)
  }
}

/** Shows how long the parts of a search took. */
function measure({ milliseconds, engine }: Timed, model: number | undefined, wordsAlone: boolean) {
  const { set, records } = session
  // In a tab with an older page, the leader tells no time.
  panel.times(engine === undefined ? undefined : { engine, message: Math.max(0, milliseconds - engine), model })
  const { one, many } = SETS[set]
  const how = wordsAlone ? 'searched by words' : 'searched'
  status.timing(`${plural(records, one, many)} ${how} in ${format.milliseconds(milliseconds)}`)
}

/** Tells a screen reader what was found, once for each answer. */
function announce(hits: AnyHit[], sure: number) {
  const text = sure > 0 ? `${plural(sure, 'result')}. The first: ${nameOf(hits[0]!)}` : 'Nothing close'
  if (text !== said) status.announce(text)
  said = text
}

const nameOf = ({ attrs }: AnyHit) => ('title' in attrs ? attrs.title : (attrs.headings.at(-1) ?? attrs.file))

/** Searches for what was typed. The model waits until nothing was typed for a moment. */
export const searchSoon = () => void search(DEBOUNCE)

/** Drops the answer of a search that is under way. */
export const dropAnswer = () => void asked++

/** The actions of a hit. */
export const acts: Acts = {
  async open(hit) {
    if ('title' in hit.attrs) return acts.copy(hit)
    try {
      read(hit.attrs, (await session.library?.around(hit.attrs, 4)) ?? [], query.value)
    } catch (error) {
      void fail(error)
    }
  },
  async copy(hit) {
    if (!('title' in hit.attrs)) return
    const text = hit.attrs.title.split(', ')[0]!
    try {
      await navigator.clipboard.writeText(text)
      status.announce(`${text} is copied`)
      results.copied(hit.id)
    } catch {
      status.announce('The browser did not allow the page to copy')
    }
  },
  alike(hit) {
    session.alike = hit
    void search()
    element('alike-clear').focus()
  },
}

/** Puts the set and the question into the address, so that a reload asks it again. */
function remember(text: string) {
  const hash = `#${new URLSearchParams({ set: session.set, ...(text && { q: text }) })}`
  if (hash !== location.hash) history.replaceState(null, '', hash)
}

/** Takes the question from the address. */
export function recall() {
  query.value = new URLSearchParams(location.hash.slice(1)).get('q') ?? ''
}
