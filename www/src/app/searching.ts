import * as format from '../format'
import { element, plural, setText } from '../view/dom'
import { query, question, wanted } from '../view/form'
import { panel } from '../view/panel'
import { read, results, type Acts } from '../view/results'
import { status } from '../view/status'
import { isAbort } from '../words'
import { fail, map, session } from './session'

/**
 * How long to wait after a key before a search, in milliseconds. It is about the pause of a quick typist between two
 * words.
 */
const DEBOUNCE = 120

const times: number[] = []
let asked = 0
let debounce: ReturnType<typeof setTimeout> | undefined

/**
 * Records in the page which question and filters the results answer, for programs that drive the page. Undefined: none
 * yet.
 */
function answered(asked: string[] | undefined) {
  const { dataset } = element('results')
  if (asked) dataset.answers = JSON.stringify(asked)
  else delete dataset.answers
}

/** Searches for the question in the form, or for passages like the chosen one, and shows the results. */
export async function search() {
  clearTimeout(debounce)
  const text = query.value.trim()
  const mine = ++asked
  const whole = question()
  answered(undefined)
  remember(text)
  const { alike, library, embedder, shown } = session
  element('alike').hidden = !alike
  if (!library || (!text && !alike) || session.passages === 0) {
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
      vector = (await library.vector(alike.id)) ?? new Float32Array()
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
    const { hits, milliseconds } = await library.search(vector, wanted())
    if (mine !== asked) return
    times.push(milliseconds)
    panel.times(times)
    status.timing(
      `${embedded} · ${plural(session.passages, 'passage')} searched in ${format.milliseconds(milliseconds)}`,
    )
    const others = alike ? hits.filter(({ id }) => id !== alike.id) : hits
    shown.clear()
    for (const hit of others) shown.set(hit.id, hit)
    map.light([...shown.keys()])
    if (others.length > 0) results.show(others, text, acts)
    else results.say('Nothing matches these filters.')
    answered(whole)
  } catch (error) {
    if (mine === asked && !isAbort(error) && session.library === library) void fail(error)
  }
}

/** Searches once nothing was typed for a moment. */
export function searchSoon() {
  answered(undefined)
  clearTimeout(debounce)
  debounce = setTimeout(() => void search(), DEBOUNCE)
}

/** Drops the answer of a search that is under way. */
export const dropAnswer = () => void asked++

/** Shows how long the searches took. */
export const showTimes = () => panel.times(times)

export function forgetTimes() {
  times.length = 0
  showTimes()
}

/** The actions of a hit. */
export const acts: Acts = {
  async open(hit) {
    try {
      read(hit, (await session.library?.around(hit.attrs, 4)) ?? [], query.value)
    } catch (error) {
      void fail(error)
    }
  },
  alike(hit) {
    session.alike = hit
    void search()
    element('alike-clear').focus()
  },
}

/** Puts the question into the address, so that a reload asks it again. */
function remember(text: string) {
  const hash = text ? `#${new URLSearchParams({ q: text })}` : ''
  if (hash !== location.hash) history.replaceState(null, '', hash || location.pathname + location.search)
}

/** Takes the question from the address. */
export function recall() {
  query.value = new URLSearchParams(location.hash.slice(1)).get('q') ?? ''
}
