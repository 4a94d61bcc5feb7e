import * as format from '../format'
import { marked, stemsOf } from '../highlight'
import type { PassageAttrs } from '../stores/library'
import { element, make, setText } from './dom'

const reader = element<HTMLDialogElement>('reader')
element('reader-close').onclick = () => reader.close()
reader.onclick = (event) => event.target === reader && reader.close()

const text = (of: string, stems: Set<string>) =>
  marked(of, stems).map((piece) => (piece.mark ? make('mark', '', piece.text) : piece.text))

/** Shows a passage with the text around it. */
export function read(passage: PassageAttrs, around: PassageAttrs[], query: string) {
  const stems = stemsOf(query)
  setText(element('reader-title'), passage.file.slice(passage.file.lastIndexOf('/') + 1))
  const { folder, modified, place, of } = passage
  setText(
    element('reader-where'),
    [folder, `passage ${place + 1} of ${of}`, format.date(modified)].filter(Boolean).join(' · '),
  )
  let before: string[] = []
  element('reader-text').replaceChildren(
    ...around.flatMap((attrs) => {
      const heading =
        attrs.headings.join(' › ') !== before.join(' › ') && attrs.headings.length
          ? [make('h3', '', ...text(attrs.headings.join(' › '), stems))]
          : []
      before = attrs.headings
      const shown = make('p', attrs.place === place ? 'passage this' : 'passage', ...text(attrs.text, stems))
      return [...heading, shown]
    }),
  )
  reader.showModal()
  reader.querySelector('.this')?.scrollIntoView({ block: 'center' })
}
