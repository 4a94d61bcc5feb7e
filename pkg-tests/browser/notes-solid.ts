import { from } from 'solid-js'
import html from 'solid-js/html'
import type { Nidus } from 'nidus-wasm'
import { liveSearch, type LiveStore } from 'nidus-wasm/live'

export default function Notes({ notes }: { notes: LiveStore<Nidus> }) {
  const search = liveSearch(notes, { collections: 'notes', topK: 5 })
  const found = from(search, search.get())
  const onInput = (event: InputEvent) => search.set((event.target as HTMLInputElement).value)
  return html`<input onInput=${onInput} />
    <p>
      ${() =>
        `${found().status}: ${found()
          .hits.map(({ id }) => id)
          .join(' ')}`}
    </p>`
}
