import type { AnyHit } from '../app/session'
import { excerpt, marked, markedAt, stemsOf } from '../highlight'
import type { SetName } from '../sets'
import type { PassageAttrs } from '../stores/library'
import type { EntryAttrs } from '../stores/shipped'
import { button, element, make } from './dom'

export interface Acts {
  open(hit: AnyHit): void
  copy(hit: AnyHit): void
  alike(hit: AnyHit): void
}

interface Shown {
  set: SetName
  question: string
  filtered: boolean
}

const list = element<HTMLOListElement>('results')

/** What the list shows, as text. An equal answer leaves the list alone, and so what the visitor does in it. */
let showing = ''

const pieces = (all: { text: string; mark: boolean }[]) =>
  all.map((piece) => (piece.mark ? make('mark', '', piece.text) : piece.text))

const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1)

/** The bar of a hit: how much of its score came from words and from meaning. The best hit has a full bar. */
function bar({ score, parts }: AnyHit, best: number) {
  const made = make('div', 'bar', make('span', 'words'), make('span', 'meaning'))
  made.style.setProperty('--of-words', `${(parts.words / best) * 100}%`)
  made.style.setProperty('--of-meaning', `${(parts.meaning / best) * 100}%`)
  made.role = 'img'
  const percent = (part: number) => Math.round((part / (score || 1)) * 100)
  made.ariaLabel = `${percent(parts.words)} percent from the words, ${percent(parts.meaning)} from the meaning`
  made.title = `Score ${score.toFixed(2)}: ${parts.words.toFixed(2)} words, ${parts.meaning.toFixed(2)} meaning`
  return made
}

function passage(attrs: PassageAttrs, question: string) {
  const stems = stemsOf(question)
  const where = [attrs.folder, ...attrs.headings].filter(Boolean).join(' › ')
  return [
    make('h3', 'name', nameOf(attrs.file)),
    make('p', 'where', ...pieces(marked(where || 'at the top', stems))),
    make('p', 'text', ...pieces(marked(excerpt(attrs.text, stems), stems))),
  ]
}

function entry(attrs: EntryAttrs, matches: AnyHit['matches'], set: SetName) {
  const at = (field: 'title' | 'about' | 'keywords') => pieces(markedAt(attrs[field], matches[field]))
  if (set === 'emoji')
    return [make('p', 'sign', attrs.title), make('h3', 'name', ...at('about')), make('p', 'where', ...at('keywords'))]
  const part = { adj: 'adjective', adv: 'adverb' }[attrs.kind] ?? attrs.kind
  return [make('h3', 'name', ...at('title'), ' ', make('span', 'part', part)), make('p', 'text', ...at('about'))]
}

function item(hit: AnyHit, best: number, shown: Shown, acts: Acts) {
  const made = make('li', 'result')
  const { attrs } = hit
  made.dataset.id = hit.id
  made.dataset.file = 'title' in attrs ? attrs.title : attrs.file
  made.dataset.score = String(hit.score)
  made.tabIndex = -1
  const own = !('title' in attrs)
  const main = own ? button('Open', () => acts.open(hit), 'small') : button('Copy', () => acts.copy(hit), 'small copy')
  const actions = make(
    'div',
    'row acts',
    main,
    button('More like this', () => acts.alike(hit), 'small'),
  )
  const texts = own ? passage(attrs, shown.question) : entry(attrs, hit.matches, shown.set)
  made.append(make('div', 'body', ...texts), bar(hit, best), actions)
  if (own)
    made.onclick = ({ target }) => {
      if (!(target as Element).closest('button') && !getSelection()?.toString()) acts.open(hit)
    }
  return made
}

/** Says that nothing is close. The nearest hits are shown if the visitor asks for them. */
function nothingClose(shown: Shown) {
  const made = make('li', 'nothing')
  if (shown.filtered) made.append('Nothing matches these filters.')
  else {
    made.append(make('strong', '', 'Nothing close.'), ' Try other words, or describe it in a sentence.')
    made.append(
      button(
        'Show the nearest anyway',
        () => {
          list.dataset.unsure = 'shown'
          made.remove()
          list.querySelector<HTMLElement>('.result')?.focus()
        },
        'small',
      ),
    )
  }
  return made
}

/** Separates the hits that are less sure. */
const lessSure = () => make('li', 'divider', 'Less sure')

export const results = {
  /** Shows hits. The first `sure` of them are real answers. */
  show(hits: AnyHit[], sure: number, shown: Shown, acts: Acts) {
    const wanted = JSON.stringify([hits, sure, shown])
    if (wanted === showing) return
    showing = wanted
    const kept = document.activeElement?.closest<HTMLElement>('.result')?.dataset.id
    const items = hits.map((hit) => item(hit, Math.max(hits[0]!.score, 1e-9), shown, acts))
    for (const unsure of items.slice(sure)) unsure.classList.add('unsure')
    list.dataset.unsure = sure === 0 && !(shown.filtered && hits.length > 0) ? 'hidden' : 'shown'
    const before = list.dataset.unsure === 'hidden' ? [nothingClose(shown)] : []
    const between = sure > 0 && sure < hits.length ? [lessSure()] : []
    list.dataset.set = shown.set
    list.replaceChildren(...before, ...items.slice(0, sure), ...between, ...items.slice(sure))
    if (kept) list.querySelector<HTMLElement>(`[data-id="${CSS.escape(kept)}"]`)?.focus()
  },

  say(text: string) {
    showing = ''
    list.replaceChildren(make('li', 'nothing', text))
  },

  clear() {
    showing = ''
    list.replaceChildren()
  },

  /** Shows for a moment that a hit was copied. */
  copied(id: string) {
    const made = list.querySelector<HTMLElement>(`[data-id="${CSS.escape(id)}"] .copy`)
    if (!made) return
    made.textContent = 'Copied'
    setTimeout(() => (made.textContent = 'Copy'), 1500)
  },

  /** Moves the focus by this many results, up to the search field or down to the last one. */
  move(by: number) {
    const items = [...list.querySelectorAll<HTMLElement>('.result')].filter((each) => each.checkVisibility())
    const at = items.findIndex((each) => each.contains(document.activeElement))
    const next = at + by
    if (next < 0) element('query').focus()
    else items[Math.min(next, items.length - 1)]?.focus()
  },

  get current() {
    return document.activeElement?.closest<HTMLElement>('.result')?.dataset.id
  },
}
