// The hooks in real pages. `react-page.ts` has what shows and types.
import { createElement as h, StrictMode, Suspense, useState } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { expect, it, onTestFinished } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { useNidus, useSearch, type Searchable, type StoreState, type UseSearchOptions } from 'nidus-wasm/react'
import { TextIndex } from 'nidus-wasm/text'
import { until } from '../common/until'
import { Boundary, counted, fresh, notes, said, show, slowEmbed, type } from './react-page'

type Source = Nidus | StoreState<Nidus> | undefined

/** A search box. `renders` counts how often it is rendered. */
function Box(props: {
  source: Source
  options?: UseSearchOptions<Nidus>
  renders?: { count: number }
  first?: string
}) {
  const [question, setQuestion] = useState(props.first ?? '')
  const found = useSearch(props.source, question, props.options)
  if (props.renders) props.renders.count++
  return h(
    'div',
    null,
    h('input', { value: question, onChange: ({ target }) => setQuestion(target.value) }),
    h('p', null, said(found)),
    h('button', { onClick: found.retry }),
  )
}

it('two components share one store, which is closed after the last one', async () => {
  const name = fresh('shared')
  const opened: Nidus[] = []
  const open = async () => {
    opened.push(await Nidus.open(name, { dimension: 2 }))
    return opened.at(-1)!
  }
  const User = () => h('i', null, useNidus(name, { open }).status, ' ')
  const { root, text } = show(h(StrictMode, null, h(User), h(User)))
  await until('the store', () => text() === 'open open ')
  let closed = false
  void opened[0]!.closed.then(() => (closed = true))
  root.render(h(StrictMode, null, h(User)))
  await until('one component', () => text() === 'open ')
  // Another key makes it another component, which takes the place of the first one.
  root.render(h(StrictMode, null, h(User, { key: 'other' })))
  await expect(opened[0]!.count()).resolves.toBe(0)
  expect([opened.length, closed]).toEqual([1, false])
  root.render(null)
  await expect(opened[0]!.closed).resolves.toEqual({ reason: 'closed' })
  root.render(h(User))
  await until('the store anew', () => text() === 'open ')
  expect(opened.length).toBe(2)
})

it('options that are made anew and equal open nothing anew; another name or option does', async () => {
  const name = fresh('options')
  const seen: StoreState<Nidus>[] = []
  function User({ name, dimension }: { name: string | undefined; dimension: number }) {
    seen.push(useNidus(name, { dimension, storage: 'opfs', autoCompact: undefined }))
    return h('i', null, seen.at(-1)!.status, seen.at(-1)!.error?.code, seen.at(-1)!.store?.name)
  }
  const { root, text } = show(h(User, { name: undefined, dimension: 2 }))
  await until('nothing', () => text() === 'idle')
  root.render(h(User, { name, dimension: 2 }))
  await until('the store', () => text() === `open${name}`)
  const { store } = seen.at(-1)!
  const before = seen.length
  root.render(h(User, { name, dimension: 2 }))
  await until('another rendering', () => seen.length > before)
  expect(seen.at(-1)!.store).toBe(store)
  root.render(h(User, { name, dimension: 3 }))
  await until('the error', () => text() === 'errorDIMENSION_MISMATCH')
  root.render(h(User, { name: `${name} 2`, dimension: 3 }))
  await until('another store', () => text() === `open${name} 2`)
  await store!.closed
})

it('a store that is open elsewhere is an error, and `retry` opens it', async () => {
  const name = fresh('locked')
  const alone = { dimension: 2, multiTab: false }
  const elsewhere = await Nidus.open(name, alone)
  let state: StoreState<Nidus>
  const User = () => h('i', null, (state = useNidus(name, alone)).status, state.error?.code)
  const { text } = show(h(StrictMode, null, h(User)))
  await until('the error', () => text() === 'errorLOCKED')
  await elsewhere.close()
  state!.retry()
  await until('the store', () => text() === 'open')
})

it('a store that is closed under its users is an error, and `retry` opens it', async () => {
  const name = fresh('closed')
  let state: StoreState<Nidus>
  const User = () => h('i', null, (state = useNidus(name, { dimension: 2 })).status, state.error?.code)
  const { text } = show(h(User))
  await until('the store', () => text() === 'open')
  await state!.store!.close()
  await until('the error', () => text() === 'errorCLOSED')
  state!.retry()
  await until('the store anew', () => text() === 'open')
})

it('finds what is typed, keeps the last hits, and renders twice a keystroke', async () => {
  const { db, asked } = counted(await notes())
  const renders = { count: 0 }
  const { page, text } = show(h(Box, { source: db, renders, options: { collections: 'notes', topK: 5 } }))
  await until('the page', () => text() === 'idle: ')
  for (const [question, wanted] of [
    ['roof', 'done: roof'],
    ['roof bread', 'done: bread roof'],
    ['cellar', 'done: '],
    ['water', 'done: bread'],
  ] as const) {
    const before = { text: text(), renders: renders.count }
    type(page, question)
    const kept = before.text.replace(
      /^(done|idle): (.*)$/,
      (_, status, hits) => `searching: ${hits}${status === 'done' ? ' (stale)' : ''}`,
    )
    expect([text(), renders.count - before.renders]).toEqual([kept, 1])
    await until(question, () => text() !== kept)
    expect([[...text()].sort().join(''), renders.count - before.renders]).toEqual([[...wanted].sort().join(''), 2])
  }
  type(page, ' ')
  expect([text(), asked.length]).toEqual(['idle: ', 4])
})

it('a late answer never takes the place of a later one, and one text is embedded at a time', async () => {
  const { embed, waiting } = slowEmbed()
  const { page, text } = show(
    h(StrictMode, null, h(Box, { source: await notes(), options: { embed, by: 'meaning', topK: 1 } })),
  )
  await until('the page', () => text() === 'idle: ')
  type(page, 'roof')
  await until('the first text', () => waiting.length === 1)
  for (const question of ['roof o', 'roof or', 'roof or bread']) type(page, question)
  expect([waiting[0]!.text, waiting[0]!.signal.aborted]).toEqual(['roof', true])
  waiting[0]!.answer()
  await until('the latest text', () => waiting.length === 2)
  expect(waiting[1]!.text).toBe('roof or bread')
  expect(text()).toBe('searching: ')
  waiting[1]!.answer()
  await until('the hits', () => text() === 'done: bread')
})

it('an error keeps the last hits and is a value; aborted searches are none', async () => {
  const { embed, waiting } = slowEmbed()
  const { page, text } = show(
    h(Box, { source: await notes(), options: { embed, topK: 1, by: 'meaning' }, first: 'roof' }),
  )
  await until('the first text', () => waiting.length === 1)
  waiting[0]!.answer()
  await until('the hits', () => text() === 'done: roof')
  type(page, 'bread')
  await until('the second text', () => waiting.length === 2)
  waiting[1]!.fail(new Error('the model is gone'))
  await until('the error', () => text() === 'error: roof (stale) EMBEDDER_FAILED')
  page.querySelector('button')!.click()
  await until('another try', () => waiting.length === 3 && text() === 'searching: roof (stale)')
  type(page, 'roof again')
  waiting[2]!.fail(new Error('aborted'))
  await until('the next text', () => waiting.length === 4)
  waiting[3]!.answer()
  await until('the hits', () => text() === 'done: roof')
})

it('asks again when another opening writes: once at a time for a burst, and equal hits are not drawn', async () => {
  const name = fresh('live')
  const { db, asked } = counted(await notes(name))
  const other = await Nidus.open(name)
  onTestFinished(() => other.close())
  let drawn = 0
  function Near() {
    drawn++
    return h('p', null, said(useSearch(db, [1, 0], { collections: 'notes', minScore: 0.5 })))
  }
  const { text } = show(h(Near))
  await until('the hits', () => text() === 'done: roof')
  expect([drawn, asked.length]).toEqual([2, 1])
  const far = (id: string) => other.upsert('notes', { id, vector: [0, 1] })
  await Promise.all(Array.from({ length: 50 }, (_, i) => far(`far ${i}`)))
  await until('another search', () => asked.length > 1)
  await other.upsert('elsewhere', { id: 'x', vector: [1, 0] })
  await far('roof')
  await until('no hits', () => text() === 'done: ')
  expect(drawn).toBe(3)
  expect(asked.length).toBeLessThan(25)
})

it('asks nothing for changes of collections that it does not search', async () => {
  const { db, asked } = counted(await notes())
  const { text } = show(h(Box, { source: db, options: { collections: 'notes', refresh: 0 }, first: 'roof' }))
  await until('the hits', () => text() === 'done: roof')
  // Listeners are called in the order in which they came, so the hook hears of each change first.
  const heard: string[] = []
  db.on('change', ({ collections }) => heard.push(...Object.keys(collections)))
  const write = (collection: string) => db.upsert(collection, { id: 'x', vector: [0, 1] })
  await write('elsewhere')
  await until('the event', () => heard.includes('elsewhere'))
  expect(asked.length).toBe(1)
  await write('notes')
  await until('the event', () => heard.includes('notes'))
  expect(asked.length).toBe(2)
})

it('a component that is removed in mid-flight ends its search', async () => {
  const { embed, waiting } = slowEmbed()
  const { root } = show(h(StrictMode, null, h(Box, { source: await notes(), options: { embed }, first: 'roof' })))
  await until('the text', () => waiting.length === 1)
  expect(waiting[0]!.signal.aborted).toBe(false)
  root.render(null)
  await until('the end', () => waiting[0]!.signal.aborted)
  waiting[0]!.answer()
  expect(waiting.length).toBe(1)
})

it('strict mode, which mounts a component twice, asks once', async () => {
  const { db, asked } = counted(await notes())
  const { text } = show(h(StrictMode, null, h(Box, { source: db, first: 'roof' })))
  await until('the hits', () => text() === 'done: roof')
  expect(asked.length).toBe(1)
})

it('waits for the last change of a question for as long as `debounce` says', async () => {
  const { db, asked } = counted(await notes())
  const { page, text } = show(h(Box, { source: db, options: { debounce: 50 } }))
  await until('the page', () => text() === 'idle: ')
  for (const question of ['r', 'ro', 'roo', 'roof']) type(page, question)
  await until('the hits', () => text() === 'done: roof')
  expect(asked).toEqual([{ text: 'roof' }])
})

it('searches a TextIndex that useNidus opens, and shows words first', async () => {
  const name = fresh('texts')
  const { embed, waiting } = slowEmbed()
  const embedder = {
    model: 'm',
    dimension: 2,
    embed: async ([text]: string[], { kind }: { kind: string }) =>
      kind === 'passage' ? [[1, 0]] : [await embed(text!, { signal: new AbortController().signal })],
  }
  const open = async (name: string) => {
    const index = await TextIndex.open(name, { embedder })
    await index.add({ id: 'n1', text: 'The roof leaks.' })
    return index
  }
  function Page({ question }: { question: string }) {
    const index = useNidus(name, { open })
    const { status, hits } = useSearch(index, question, { wordsFirst: true })
    return h(
      'p',
      null,
      index.status,
      ' ',
      status,
      ' ',
      hits.map(({ passage }) => passage.text),
      hits.by,
    )
  }
  const { text } = show(h(Page, { question: 'roof' }))
  await until('the answer of words', () => text() === 'open searching The roof leaks.words')
  waiting[0]!.answer()
  await until('the whole answer', () => text() === 'open done The roof leaks.hybrid')
})

it('shows words first in a store, too, and embeds nothing for words alone', async () => {
  const { embed, waiting } = slowEmbed()
  const db = await notes()
  const page = (options: UseSearchOptions<Nidus>) => h(Box, { source: db, options, first: 'roof' })
  const { root, text } = show(page({ embed, wordsFirst: true }))
  await until('the answer of words', () => text() === 'searching: roof')
  waiting[0]!.answer()
  await until('the whole answer', () => text() === 'done: roof bread')
  root.render(page({ embed, by: 'words' }))
  await until('the answer of words alone', () => text() === 'done: roof')
  expect(waiting.length).toBe(1)
})

it('suspends until the store and the first hits are there, and keeps the hits afterwards', async () => {
  const name = fresh('suspended')
  await (await notes(name)).flush()
  const fallback = h('i', null, 'wait')
  const shown: string[] = []
  function Page({ question }: { question: string }) {
    const { store } = useNidus(name, { suspense: true, dimension: 2 })
    shown.push(said(useSearch(store, question, { suspense: true })))
    return h('p', null, shown.at(-1))
  }
  const page = (question: string) => h(StrictMode, null, h(Suspense, { fallback }, h(Page, { question })))
  const { root, text } = show(page('roof'))
  await until('the fallback', () => text() === 'wait')
  await until('the hits', () => text() === 'done: roof')
  expect([...new Set(shown)]).toEqual(['done: roof'])
  root.render(page('bread'))
  await until('other hits', () => text() === 'done: bread')
  expect([...new Set(shown)]).toEqual(['done: roof', 'searching: roof (stale)', 'done: bread'])
})

it('with suspense, what cannot be opened or searched goes to the error boundary, which can try again', async () => {
  const name = fresh('boundary')
  const alone = { dimension: 2, multiTab: false }
  const elsewhere = await Nidus.open(name, alone)
  await elsewhere.setText('notes', 'text')
  let by: 'meaning' | 'words' = 'meaning'
  function Page() {
    const { store } = useNidus<Nidus, true>(name, { ...alone, suspense: true })
    return h('p', null, said(useSearch(store, 'roof', { suspense: true, by })))
  }
  const { page, text } = show(h(StrictMode, null, h(Boundary, null, h(Suspense, { fallback: 'wait' }, h(Page)))))
  await until('the error', () => text() === 'LOCKED')
  await elsewhere.close()
  page.querySelector('button')!.click()
  await until('the error of the search', () => text() === 'INVALID_ARGUMENT')
  by = 'words'
  page.querySelector('button')!.click()
  await until('the answer', () => text() === 'done: ')
})

it('takes over what a server rendered', async () => {
  const name = fresh('hydrated')
  const page = document.body.appendChild(document.createElement('main'))
  page.innerHTML = '<p>opening searching: </p>'
  const complaints: unknown[] = []
  function Page() {
    const state = useNidus(name, { dimension: 2 })
    return h('p', null, `${state.status} ${said(useSearch<Nidus>(state, [1, 0]))}`)
  }
  const root = hydrateRoot(page, h(StrictMode, null, h(Page)), {
    onRecoverableError: (error) => complaints.push(error),
  })
  onTestFinished(() => root.unmount())
  await until('the hits', () => page.textContent === 'open done: ')
  expect(complaints).toEqual([])
})

it('refuses wrong options where they are given, and shows those that only the store knows', async () => {
  const db = await notes()
  const Page = ({ options, source = db }: { options: object; source?: Searchable }) =>
    h('p', null, useSearch(source, 'roof', options as never).error?.message)
  const { root, text } = show(h(Boundary, null, h(Page, { options: { debonce: 1 } })))
  await until('the error', () => text() === 'INVALID_ARGUMENT')
  root.render(h(Page, { options: { passages: 2 } }))
  await until('the error of the store', () => text().startsWith('search: unknown option `passages`'))
})

it('an option that says not to ask again can be taken back', async () => {
  const db = await notes()
  const page = (refresh: false | undefined) =>
    h(Box, { source: db, options: { collections: 'notes', refresh }, first: 'roof' })
  const { root, text } = show(page(false))
  await until('the hits', () => text() === 'done: roof')
  await db.delete('notes', 'roof')
  expect(text()).toBe('done: roof')
  root.render(page(undefined))
  await until('no hits', () => text() === 'done: ')
})
