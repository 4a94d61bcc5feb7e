import * as format from './format'
import type { Facts, PackageHit, Progress } from './library'
import type { Words } from './words'

export type Phase = 'opening' | 'waiting' | 'loading-model' | 'indexing' | 'ready' | 'deleted' | 'failed'

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T

const dom = {
  form: element<HTMLFormElement>('form'),
  query: element<HTMLInputElement>('query'),
  atLeast: element<HTMLSelectElement>('at-least'),
  timing: element('timing'),
  status: element('status'),
  statusText: element('status-text'),
  progress: element<HTMLProgressElement>('progress'),
  announce: element('announce'),
  notice: element('notice'),
  examples: element('examples'),
  results: element<HTMLOListElement>('results'),
  delete: element<HTMLButtonElement>('delete'),
  confirm: element<HTMLDialogElement>('confirm'),
}

/** Reads and writes the document; decides nothing. */
export const view = {
  get query() {
    return dom.query.value.trim()
  },
  set query(text: string) {
    dom.query.value = text
  },
  get atLeast() {
    return Number(dom.atLeast.value)
  },

  phase(phase: Phase, text: string, fraction?: number) {
    dom.status.dataset.phase = phase
    setText(dom.statusText, text)
    if (fraction === undefined) dom.progress.removeAttribute('value')
    else dom.progress.value = fraction
    dom.delete.disabled = phase === 'opening' || phase === 'deleted' || phase === 'failed'
  },

  indexing({ done, total, perSecond, secondsLeft }: Progress) {
    const parts = [`Indexing: ${format.count(done)} of ${format.count(total)}`]
    if (secondsLeft !== undefined) parts.push(`${Math.round(perSecond)} a second`, format.duration(secondsLeft))
    this.phase('indexing', parts.join(' · '), done / total)
    // A screen reader is told each quarter, not each batch.
    const quarter = Math.floor((done / total) * 4)
    if (quarter !== announcedQuarter && quarter > 0 && quarter < 4) this.announce(`Indexing, ${quarter * 25} percent done`)
    announcedQuarter = quarter
  },

  facts(facts: Facts | undefined) {
    setText(element('fact-documents'), facts ? format.count(facts.documents) : '–')
    setText(element('fact-rows'), facts ? rows(facts) : '–')
    setText(element('fact-bytes'), facts ? format.bytes(facts.diskBytes) : '–')
    setText(element('fact-storage'), facts ? storage(facts) : '–')
  },

  embedded({ documents, queries }: { documents: number; queries: number }) {
    const fact = element('fact-embedded')
    fact.dataset.documents = String(documents)
    fact.dataset.queries = String(queries)
    setText(fact, `${plural(documents, 'text', 'texts')}, ${plural(queries, 'query', 'queries')}`)
  },

  searchTimes(times: number[]) {
    setText(element('fact-last'), times.length ? format.milliseconds(times.at(-1)!) : '–')
    setText(element('fact-median'), times.length ? format.milliseconds(format.median(times)) : '–')
    setText(element('fact-searches'), String(times.length || 20))
  },

  timing(text: string) {
    setText(dom.timing, text)
  },

  announce(text: string) {
    setText(dom.announce, text)
  },

  results(hits: PackageHit[]) {
    dom.examples.hidden = true
    dom.results.replaceChildren(...hits.map(resultItem))
  },

  message(text: string) {
    dom.examples.hidden = true
    dom.results.replaceChildren(make('li', 'nothing', text))
  },

  noQuery(canAsk: boolean) {
    dom.examples.hidden = !canAsk
    dom.results.replaceChildren()
    setText(dom.timing, 'Say what it should do, in your own words.')
  },

  notice(words: (Words & { detail?: string }) | undefined, labels: Record<string, string>, act: (action: string) => void) {
    dom.notice.hidden = !words
    if (!words) return
    dom.examples.hidden = true // nothing can be asked now
    const actions = make('div', 'actions')
    for (const action of words.actions) {
      const button = make('button', '', labels[action] ?? action)
      button.type = 'button'
      button.dataset.action = action
      button.onclick = () => act(action)
      actions.append(button)
    }
    const detail = words.detail ? [make('p', 'detail', words.detail)] : []
    dom.notice.replaceChildren(make('h3', '', words.title), make('p', '', words.text), ...detail, actions)
  },

  on(handlers: { query(text: string): void; now(): void; confirmedDelete(): void }) {
    dom.query.oninput = () => handlers.query(this.query)
    dom.atLeast.onchange = () => handlers.now()
    dom.form.onsubmit = (event) => {
      event.preventDefault()
      handlers.now()
    }
    dom.examples.onclick = (event) => {
      if (!(event.target instanceof HTMLButtonElement)) return
      this.query = event.target.textContent ?? ''
      dom.query.focus()
      handlers.now()
    }
    dom.delete.onclick = () => this.askToDelete()
    element('confirm-no').onclick = () => dom.confirm.close()
    element('confirm-yes').onclick = () => {
      dom.confirm.close()
      handlers.confirmedDelete()
    }
    document.addEventListener('keydown', (event) => {
      const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement
      if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey || dom.confirm.open) return
      event.preventDefault()
      dom.query.focus()
    })
  },

  askToDelete() {
    dom.confirm.showModal()
  },
}

let announcedQuarter = 0

const STORAGE: Record<string, string> = {
  opfs: 'OPFS',
  indexeddb: 'IndexedDB',
  memory: 'Memory only',
}

/** Best effort: the browser may clear it when the device runs out of room. */
function storage({ storage, kept }: Facts) {
  const name = STORAGE[storage] ?? storage
  return kept === 'unknown' ? name : `${name}, ${kept === 'persistent' ? 'persistent' : 'best effort'}`
}

function rows({ rows, deadRows }: Facts) {
  return deadRows ? `${format.count(rows)}, ${format.count(deadRows)} replaced` : format.count(rows)
}

function plural(n: number, one: string, many: string) {
  return `${format.count(n)} ${n === 1 ? one : many}`
}

function setText(node: HTMLElement, text: string) {
  if (node.textContent !== text) node.textContent = text
}

function make<K extends keyof HTMLElementTagNameMap>(tag: K, className: string, text?: string) {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  return made
}

function resultItem({ id, score, attrs }: PackageHit) {
  const item = make('li', 'result')
  item.dataset.id = id
  item.dataset.score = String(score)
  const scale = make('span', 'scale')
  scale.style.setProperty('--score', String(Math.max(0, Math.min(1, score))))
  scale.ariaHidden = 'true'
  const number = make('span', 'score', score.toFixed(3))
  number.title = 'Cosine similarity of the question and the summary'
  const downloads = make('span', 'downloads', `${format.compact(attrs.downloads)} downloads`)
  const head = make('div', 'head')
  head.append(make('h3', 'name', id), downloads)
  const body = make('div', 'body')
  body.append(head, make('p', 'text', attrs.text))
  const mark = make('div', 'mark')
  mark.append(number, scale)
  item.append(mark, body)
  return item
}
