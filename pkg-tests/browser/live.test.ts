// Live stores and searches alone, and in Vue, Svelte and Solid. The guide shows the same components.
import { render } from 'solid-js/web'
import { mount, unmount } from 'svelte'
import { get } from 'svelte/store'
import { expect, it, onTestFinished, vi } from 'vitest'
import { createApp } from 'vue'
import { Nidus } from 'nidus-wasm'
import { liveSearch, liveStore } from 'nidus-wasm/live'
import { TextIndex } from 'nidus-wasm/text'
import { until } from '../common/until'
import SolidNotes from './notes-solid'
import VueNotes from './notes-vue'
import SvelteNotes from './notes.svelte'
import { counted, fresh, notes, said } from './react-page'

const input = (page: HTMLElement, text: string) => {
  const box = page.querySelector('input')!
  box.value = text
  box.dispatchEvent(new Event('input', { bubbles: true }))
}
const newPage = () => {
  const page = document.body.appendChild(document.createElement('main'))
  onTestFinished(() => page.remove())
  return page
}
/** Returns a store that is opened when it is first used, and says when it was closed. */
async function opened() {
  const name = fresh('live')
  const first = await notes(name)
  const stores: Nidus[] = []
  const source = liveStore(name, async (name) => {
    stores.push(await Nidus.open(name))
    return stores.at(-1)!
  })
  return { source, first, over: async () => (await stores.at(-1)!.closed).reason }
}
/** Types into a page of whatever framework, and expects the same of each. */
async function searches(page: HTMLElement, first: Nidus) {
  const text = () => page.querySelector('p')!.textContent!.trim()
  await until('the page', () => page.querySelector('p') !== null && text() === 'idle:')
  input(page, 'roof')
  await until('the hits', () => text() === 'done: roof')
  await first.upsert('notes', { id: 'attic', vector: [1, 0], attrs: { text: 'below the roof, the attic' } })
  await until('the new hit', () => /^done: (roof attic|attic roof)$/.test(text()))
  input(page, '')
  await until('no question', () => text() === 'idle:')
}

it('opens for the first subscriber, closes after the last one, and tells each state once', async () => {
  const { source, over } = await opened()
  expect(source.get().status).toBe('opening')
  const told: string[] = []
  const stop = source.subscribe(({ status }) => void told.push(status))
  await until('the store', () => source.get().status === 'open')
  expect(told).toEqual(['opening', 'open'])
  const { store } = source.get()
  stop()
  expect(await over()).toBe('closed')
  await expect(store!.count()).rejects.toMatchObject({ code: 'CLOSED' })
  expect([told.length, source.get().status]).toEqual([2, 'opening'])
})

it('a store that comes when nobody wants it any more is closed, and the next opening waits for that', async () => {
  const name = fresh('late')
  const events: string[] = []
  const gates: (() => void)[] = []
  const source = liveStore(name, async () => {
    await new Promise<void>((resolve) => gates.push(resolve))
    events.push('open')
    const db = await Nidus.open(name, { dimension: 2, multiTab: false })
    void db.closed.then(() => events.push('closed'))
    return db
  })
  const first = source.subscribe(() => {})
  await until('the opening', () => gates.length === 1)
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  first()
  await Promise.resolve()
  vi.advanceTimersByTime(1000)
  vi.useRealTimers()
  const stop = source.subscribe(() => {})
  expect(gates.length).toBe(1)
  gates[0]!()
  await until('the second opening', () => gates.length === 2)
  gates[1]!()
  await until('the store', () => source.get().status === 'open')
  expect(events).toEqual(['open', 'closed', 'open'])
  stop()
  await until('the end', () => events.length === 4)
})

it('asks nothing before somebody subscribes, and nothing after', async () => {
  const { db, asked } = counted(await notes())
  const found = liveSearch(db, { collections: 'notes' })
  found.set('roof')
  expect([said(found.get()), asked]).toEqual(['searching: ', []])
  const told: string[] = []
  const stop = found.subscribe((state) => void told.push(said(state)))
  await until('the hits', () => found.get().status === 'done')
  found.set('roof', { collections: ['notes'] })
  found.set('roof', { collections: ['notes'] })
  await until('the hits of other options', () => found.get().status === 'done')
  expect([told, asked.length]).toEqual([['searching: ', 'done: roof', 'searching: roof (stale)', 'done: roof'], 2])
  stop()
  await Promise.resolve()
  found.set('bread')
  expect([told.length, asked.length]).toEqual([4, 2])
})

it('knows a vector, words with a vector, and a question without words', async () => {
  const found = liveSearch(await notes(), { topK: 1 })
  onTestFinished(found.subscribe(() => {}))
  const answer = async (question: Parameters<typeof found.set>[0]) => {
    found.set(question)
    await until('an answer', () => found.get().status !== 'searching')
    return said(found.get())
  }
  expect(await answer(new Float32Array([1, 0]))).toBe('done: roof')
  const { hits } = found.get()
  expect(await answer([0, 1])).toBe('done: bread')
  expect(await answer([1, 0])).toBe('done: roof')
  expect(found.get().hits).not.toBe(hits)
  expect(await answer({ text: 'bread', vector: [0, 1] })).toBe('done: bread')
  for (const none of ['', ' ', undefined, null, { text: '' }]) expect(await answer(none)).toBe('idle: ')
  expect(await answer([1, 0, 0])).toBe('error:  DIMENSION_MISMATCH')
})

it('asks again when a vector or an option was changed in place', async () => {
  const found = liveSearch(await notes(), { topK: 1 })
  onTestFinished(found.subscribe(() => {}))
  const vector = new Float32Array([1, 0])
  const filter: { text: { $in: string[] } } = { text: { $in: [] } }
  const answer = async (...to: Parameters<typeof found.set>) => {
    found.set(...to)
    await until('an answer', () => found.get().status !== 'searching')
    return said(found.get())
  }
  expect(await answer(vector)).toBe('done: roof')
  vector.set([0, 1])
  expect(await answer(vector)).toBe('done: bread')
  expect(await answer(vector, { filter })).toBe('done: ')
  const { attrs } = (await (await notes()).search([0, 1]))[0]!
  filter.text.$in.push(attrs.text as string)
  expect(await answer(vector, { filter })).toBe('done: bread')
})

it('asks once for the same question, whatever it is made of', async () => {
  const { db, asked } = counted(await notes())
  const found = liveSearch(db)
  onTestFinished(found.subscribe(() => {}))
  let searches = 0
  for (const [question, options] of [
    [Float32Array.of(NaN, 0), {}],
    [[1, 0], { filter: { at: { $gt: new Date('') } } }],
    [Object.assign(Object.create(null) as object, { text: 'roof' }), {}],
    [Object.assign([1, 0], { model: 'x' }), {}],
  ] as [number[], object][]) {
    for (let i = 0; i < 3; i++) {
      found.set(question, options)
      await until('an answer', () => found.get().status !== 'searching')
    }
    expect(asked.length).toBe(++searches)
  }
  const round: { $not?: unknown } = {}
  round.$not = round
  found.set([1, 0], { filter: round as never })
  await until('an answer', () => found.get().status !== 'searching')
  expect(found.get().error).toMatchObject({ code: 'INVALID_ARGUMENT' })
})

it('words answer alone if `embed` fails, and the hits say why', async () => {
  for (const wordsFirst of [false, true]) {
    let fails = true
    const embed = async () => {
      if (fails) throw new Error('offline')
      return [1, 0]
    }
    const found = liveSearch(await notes(), { collections: 'notes', embed, wordsFirst })
    onTestFinished(found.subscribe(() => {}))
    found.set('roof')
    await until('the hits', () => found.get().status !== 'searching')
    expect(said(found.get())).toBe('done: roof')
    expect(found.get().hits).toMatchObject({ by: 'words', embedderError: { code: 'EMBEDDER_FAILED' } })
    fails = false
    found.get().retry()
    await until('both', () => found.get().status === 'done')
    expect(found.get().hits.by).toBeUndefined()
    expect(found.get().hits[0]!.vectorScore).toBeCloseTo(1)
  }
  // A result that is no vector of the store counts as a failure of the model.
  for (const wrong of [undefined, [1], [1, NaN], 'text']) {
    const found = liveSearch(await notes(), { collections: 'notes', embed: () => wrong as never })
    onTestFinished(found.subscribe(() => {}))
    found.set('roof')
    await until('the hits', () => found.get().status !== 'searching')
    expect([wrong, said(found.get()), found.get().hits.by]).toEqual([wrong, 'done: roof', 'words'])
  }
  // Without words, and by meaning, there is no answer.
  const db = await Nidus.open(fresh('no-words'), { dimension: 2 })
  onTestFinished(() => db.close())
  const embed = () => Promise.reject(new Error('offline'))
  for (const [source, options] of [
    [db, { embed }],
    [await notes(), { embed, by: 'meaning' as const }],
  ] as const) {
    const found = liveSearch(source, options)
    onTestFinished(found.subscribe(() => {}))
    found.set('roof')
    await until('the error', () => found.get().status === 'error')
    expect(found.get().error).toMatchObject({ code: 'EMBEDDER_FAILED' })
  }
})

it('asks again when another model has taken the place of the first one in a TextIndex', async () => {
  const name = fresh('reembed')
  const model = (model: string) => ({ model, dimension: 2, embed: (texts: string[]) => texts.map(() => [1, 0]) })
  const index = await TextIndex.open(name, { embedder: model('one') })
  onTestFinished(() => index.close())
  await index.add({ id: 'n1', text: 'The roof leaks.' })
  const found = liveSearch(index)
  onTestFinished(found.subscribe(() => {}))
  found.set('roof')
  await until('the hit', () => found.get().hits.length === 1)
  await index.reembed(model('two'))
  await index.add({ id: 'n2', text: 'The roof again.' })
  await until('both hits', () => found.get().hits.length === 2)
  await index.close()
  found.set('again')
  await until('the error', () => found.get().status === 'error')
  expect(found.get()).toMatchObject({ stale: true, error: { code: 'CLOSED' } })
})

it('a store that cannot be opened is an error of its searches, and their `retry` opens it', async () => {
  let refuse = true
  const name = fresh('refused')
  const source = liveStore(name, async () => {
    if (refuse) throw new TypeError('not today')
    return Nidus.open(name, { dimension: 2 })
  })
  const found = liveSearch(source)
  const stop = found.subscribe(() => {})
  found.set([1, 0])
  await until('the error', () => found.get().status === 'error')
  expect(found.get().error).toMatchObject({ code: 'FAILED', message: expect.stringContaining('not today') })
  refuse = false
  found.get().retry()
  await until('the answer', () => found.get().status === 'done')
  stop()
})

it('refuses wrong arguments where they are given', () => {
  for (const call of [
    () => liveStore('', async () => ({}) as Nidus),
    () => liveStore('x', 5 as never),
    () => liveSearch({} as never),
    () => liveSearch(undefined as never),
    () =>
      liveSearch(
        liveStore('x', () => Nidus.open('x')),
        { topk: 5 } as never,
      ),
    () => liveSearch(liveStore('x', () => Nidus.open('x'))).set('x', { debounce: -1 }),
  ])
    expect(call, `${call}`).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
})

it('is a store of Svelte, in a component', async () => {
  const { source, first, over } = await opened()
  expect(get(source).status).toBe('opening')
  const page = newPage()
  const app = mount(SvelteNotes, { target: page, props: { notes: source } })
  await searches(page, first)
  await unmount(app)
  expect(await over()).toBe('closed')
})

it('is a shallowRef of Vue', async () => {
  const { source, first, over } = await opened()
  const page = newPage()
  const app = createApp(VueNotes, { notes: source })
  app.mount(page)
  await searches(page, first)
  app.unmount()
  expect(await over()).toBe('closed')
})

it('is a signal of Solid', async () => {
  const { source, first, over } = await opened()
  const page = newPage()
  const dispose = render(() => SolidNotes({ notes: source }) as never, page)
  await searches(page, first)
  dispose()
  expect(await over()).toBe('closed')
})
