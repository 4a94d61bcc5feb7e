// Compiled and never run: what live searches and hooks know of their source.
import { Nidus, type Hit, type Hits } from 'nidus-wasm'
import { liveSearch, liveStore } from 'nidus-wasm/live'
import { useNidus, useSearch } from 'nidus-wasm/react'
import { TextIndex, type DocumentHit } from 'nidus-wasm/text'

type Same<X, Y> = (<T>() => T extends X ? 1 : 2) extends <T>() => T extends Y ? 1 : 2 ? true : false
const same = <T extends true>(..._: T[]) => {}

interface Note {
  text: string
  pinned?: boolean
}

export function Component({ db, index }: { db: Nidus<Note>; index: TextIndex<Note> }) {
  const { hits } = useSearch(db, 'a', { filter: { pinned: true }, prefix: true })
  hits satisfies Hits<Hit<Note>>
  same<Same<(typeof hits)[number], Hit<Note>>>(true)
  same<Same<typeof hits.by, 'hybrid' | 'words' | 'meaning' | undefined>>(true)
  const found = useSearch(index, 'a', { passages: 2, by: 'words' }).hits
  same<Same<(typeof found)[number], DocumentHit<Note>>>(true)
  same<Same<typeof found.by, 'hybrid' | 'words' | 'meaning' | undefined>>(true)

  const state = useNidus<Nidus<Note>>('notes', { dimension: 3 })
  if (state.status === 'open') same<Same<typeof state.store, Nidus<Note>>>(true)
  if (state.status === 'error') state.error.code satisfies string
  useSearch(state, [1, 0, 0]).hits[0]?.attrs.text satisfies string | undefined
  useSearch(undefined, undefined)
  const { store } = useNidus('notes', { suspense: true })
  same<Same<typeof store, Nidus>>(true)
  const texts = useNidus('texts', { open: (name) => TextIndex.open<Note>(name) })
  useSearch(texts, 'a', { wordsFirst: true, debounce: 100, suspense: true }).hits[0]?.passage.text satisfies
    string | undefined

  // @ts-expect-error an index takes a text
  useSearch(index, [1, 0, 0])
  // @ts-expect-error there is no such option
  useSearch(db, 'a', { debonce: 1 })
  // @ts-expect-error the live search has the signal
  useSearch(db, 'a', { signal: new AbortController().signal })
  // @ts-expect-error there is no such attribute
  useSearch(db, 'a', { filter: { author: 'b' } })
  // @ts-expect-error a store may not be open
  state.store.count()
}

export function live(db: Nidus<Note>) {
  const search = liveSearch(db, { topK: 5 })
  search.set('a', { filter: { pinned: true } })
  search.set([1, 0, 0])
  search.get().hits[0]?.attrs.text satisfies string | undefined
  const texts = liveStore('texts', (name) => TextIndex.open<Note>(name))
  liveSearch(texts).subscribe(({ hits }) => hits[0]?.passage.text satisfies string | undefined)
  // @ts-expect-error an index takes a text
  liveSearch(texts).set({ text: 'a' })
}
