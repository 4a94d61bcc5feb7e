import * as format from '../format'
import { excerpt, marked, stemsOf } from '../highlight'
import type { PassageAttrs, PassageHit } from '../library'
import { button, element, make, setText } from './dom'

export interface Acts {
  open(hit: PassageHit): void
  alike(hit: PassageHit): void
}

const list = element<HTMLOListElement>('results')

function text(of: string, stems: Set<string>) {
  return marked(of, stems).map((piece) => (piece.mark ? make('mark', '', piece.text) : piece.text))
}

const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1)

function item(hit: PassageHit, stems: Set<string>, acts: Acts) {
  const { id, score, attrs } = hit
  const made = make('li', 'result')
  made.dataset.id = id
  made.dataset.file = attrs.file
  made.dataset.score = String(score)
  made.tabIndex = -1
  const scale = make('span', 'scale')
  scale.style.setProperty('--score', String(Math.max(0, Math.min(1, score))))
  scale.ariaHidden = 'true'
  const number = make('span', 'score', score.toFixed(3))
  number.title = 'Cosine similarity of the question and the passage'
  const name = make('h3', 'name', nameOf(attrs.file))
  const where = [attrs.folder, ...attrs.headings].filter(Boolean).join(' › ')
  const actions = make(
    'div',
    'row',
    button('Open', () => acts.open(hit), 'small'),
    button('More like this', () => acts.alike(hit), 'small'),
  )
  made.append(
    make('div', 'mark', number, scale),
    make(
      'div',
      'body',
      name,
      make('p', 'where', ...text(where || 'at the top', stems)),
      make('p', 'text', ...text(excerpt(attrs.text, stems), stems)),
      actions,
    ),
  )
  return made
}

export const results = {
  show(hits: PassageHit[], query: string, acts: Acts) {
    const stems = stemsOf(query)
    const kept = document.activeElement?.closest<HTMLElement>('.result')?.dataset.id
    list.replaceChildren(...hits.map((hit) => item(hit, stems, acts)))
    if (kept) list.querySelector<HTMLElement>(`[data-id="${CSS.escape(kept)}"]`)?.focus()
  },

  say(text: string) {
    list.replaceChildren(make('li', 'nothing', text))
  },

  clear() {
    list.replaceChildren()
  },

  /** Moves the focus by this many results, up to the search field or down to the last one. */
  move(by: number) {
    const items = [...list.querySelectorAll<HTMLElement>('.result')]
    const at = items.findIndex((each) => each.contains(document.activeElement))
    const next = at + by
    if (next < 0) element('query').focus()
    else items[Math.min(next, items.length - 1)]?.focus()
  },

  get current() {
    return document.activeElement?.closest<HTMLElement>('.result')?.dataset.id
  },
}

const reader = element<HTMLDialogElement>('reader')
element('reader-close').onclick = () => reader.close()
reader.onclick = (event) => event.target === reader && reader.close()

/** Shows a passage with the text around it. */
export function read(hit: PassageHit, around: PassageAttrs[], query: string) {
  const stems = stemsOf(query)
  setText(element('reader-title'), nameOf(hit.attrs.file))
  const { folder, modified, place, of, type } = hit.attrs
  setText(
    element('reader-where'),
    [folder, `passage ${place + 1} of ${of}`, ...(type === 'sample' ? [] : [format.date(modified)])]
      .filter(Boolean)
      .join(' · '),
  )
  let before: string[] = []
  element('reader-text').replaceChildren(
    ...around.flatMap((attrs) => {
      const heading =
        attrs.headings.join(' › ') !== before.join(' › ') && attrs.headings.length
          ? [make('h3', '', ...text(attrs.headings.join(' › '), stems))]
          : []
      before = attrs.headings
      const passage = make('p', attrs.place === place ? 'passage this' : 'passage', ...text(attrs.text, stems))
      return [...heading, passage]
    }),
  )
  reader.showModal()
  reader.querySelector('.this')?.scrollIntoView({ block: 'center' })
}
