import { expect } from 'vitest'
import type { TextProgress } from 'nidus-wasm/text'
import { codeOf } from './place'
import { paragraphs, wordEmbedder } from './text-index'
import { type Case, documentsThen, errorOf, event, hanging, never } from './text-index-hanging'

// That what is given to an index is stored, whatever its embedder does, and how it is listed.

/** An embedder that counts tokens. `counting` is done before each count. */
const counter = (counting: (texts: string[]) => Promise<void> | void) =>
  Object.assign(wordEmbedder(), {
    countTokens: async (texts: string[]) => {
      await counting(texts)
      return texts.map((text) => text.split(/\s+/).length)
    },
  })

export const STORING: Case[] = [
  [
    'documents whose tokens cannot be counted are stored, found by words, and cut by tokens when they are added again',
    async (open, name) => {
      let offline = true
      const embedder = counter(() => {
        if (offline) throw new Error('no network')
      })
      const { embed } = embedder
      const refused = async () => Promise.reject(new Error('no network'))
      embedder.embed = refused
      await using index = await open(name, { embedder })
      const long = { id: 'long', text: paragraphs('roof', 20) }
      const short = { id: 'short', text: 'a note that was made on the train' }
      expect((await errorOf(() => index.add([long, short]))).code).toBe('EMBEDDER_FAILED')
      expect((await index.search('train', { by: 'words' })).map(({ id }) => id)).toEqual(['short'])
      const { passages, documents } = await index.state()
      expect(documents).toBe(2)
      // Offline and unchanged, nothing is written.
      await errorOf(() => index.add([long, short]))
      expect((await index.state()).passages).toBe(passages)
      embedder.embed = embed
      expect(await index.add(long)).toMatchObject({ added: 0, unchanged: 1 })
      await index.embedAll()
      expect(await index.state()).toMatchObject({ passages, embedded: passages })
      offline = false
      expect(await index.add([long, short])).toMatchObject({ added: 2, unchanged: 0 })
      expect(await index.add([long, short])).toMatchObject({ added: 0, unchanged: 2 })
      const { passages: exact } = await index.state()
      expect(exact).not.toBe(passages)
      offline = true
      // The model is there, and counting fails: that is said when all is embedded.
      const again = await errorOf(() => index.add({ id: 'new', text: 'one more' }))
      expect(again.message).toMatch(/count tokens.*no network.*1 document is cut by letters/s)
      expect(await index.state()).toMatchObject({ passages: exact + 1, embedded: exact + 1 })
    },
  ],
  [
    'documents that are added one by one are cut at the same time, and stored in their order',
    async (open, name) => {
      const asked: string[] = []
      const first = event()
      const all = event()
      const embedder = counter(async (texts) => {
        asked.push(...texts)
        if (asked.length >= 10) all.happened()
        // The first one takes the longest.
        if (texts.includes('version 0')) await first.happens
      })
      await using index = await open(name, { embedder })
      const adding = Array.from({ length: 10 }, (_, i) => index.add({ id: 'same', text: `version ${i}` }))
      await all.happens
      first.happened()
      await Promise.all(adding)
      expect((await index.get('same'))!.passages[0]!.text).toBe('version 9')
    },
  ],
  [
    'the last call for a document counts, whether it gave one, a list or an iterable, or removes',
    async (open, name) => {
      await using index = await open(name, { embedder: counter(() => {}) })
      const list = Array.from({ length: 200 }, (_, i) => ({ id: `d${i}`, text: 'in a list' }))
      const textOf = async (id: string) => (await index.get(id))?.passages[0]!.text
      await Promise.all([index.add({ id: 'a', text: 'one' }), index.remove('a')])
      expect(await textOf('a')).toBeUndefined()
      await Promise.all([index.add([{ id: 'a', text: 'one' }]), index.remove(['x', 'a'])])
      expect(await textOf('a')).toBeUndefined()
      await Promise.all([index.add(list), index.add({ id: 'd199', text: 'alone' }), index.remove('d150')])
      expect([await textOf('d199'), await textOf('d150')]).toEqual(['alone', undefined])
      await Promise.all([index.add({ id: 'd0', text: 'alone' }), index.add(list), index.add(list[7]!)])
      expect([await textOf('d0'), await textOf('d150')]).toEqual(['in a list', 'in a list'])
      // A list is what it was when it was given.
      const given = [...list, { id: 'last', text: 'the last one' }]
      const adding = index.add(given)
      given.length = 0
      expect(await adding).toMatchObject({ added: 1, unchanged: 200 })
    },
  ],
  [
    'a document that nobody can cut holds up no other document',
    async (open, name) => {
      const hangs = event()
      const chunk = async ({ text }: { text: string }) => {
        if (text === 'hangs') await (hangs.happened(), never())
        return [{ text, start: 0, end: text.length }]
      }
      const index = await open(name, { chunks: { name: 'own', chunk } })
      const stop = new AbortController()
      const hanging = codeOf(() => index.add({ id: 'a', text: 'hangs' }, { signal: stop.signal }))
      await hangs.happens
      expect(await index.add([{ id: 'b', text: 'the roof' }])).toMatchObject({ added: 1 })
      const later = index.add({ id: 'a', text: 'leaks' })
      stop.abort()
      expect([await hanging, (await later).added]).toEqual(['ABORTED', 1])
      await index.close()
    },
  ],
  [
    'a document that was cut by tokens stays so while they cannot be counted',
    async (open, name) => {
      let calls = 0
      const embedder = counter(() => {
        if (++calls > 1) throw new Error('no network')
      })
      await using index = await open(name, { embedder })
      const document = { id: 'a', text: 'the roof leaks' }
      const [first, second] = await Promise.all([index.add(document), index.add({ ...document })])
      expect([first.added, second.unchanged, calls]).toEqual([1, 1, 2])
      expect(await index.add(document)).toMatchObject({ unchanged: 1, embedded: 0 })
    },
  ],
  [
    'close stores what it was given alone or as a list, and says so',
    async (open, name) => {
      const counts = event()
      const go = event()
      const embedder = counter(() => (counts.happened(), go.happens))
      embedder.embed = never
      const index = await open(name, { embedder })
      const adding = errorOf(() => index.add({ id: 'a', text: 'the roof leaks' }))
      await counts.happens
      const endless = codeOf(() => index.add(documentsThen(1, never)))
      const closing = index.close()
      expect(await codeOf(() => index.add({ id: 'late', text: 'too late' }))).toBe('CLOSED')
      expect(await codeOf(() => index.remove('a'))).toBe('CLOSED')
      go.happened()
      await closing
      const { code, message } = await adding
      expect([code, message]).toEqual(['CLOSED', expect.stringContaining('all documents of this call are stored')])
      expect(await endless).toBe('CLOSED')
    },
  ],
  [
    'lists documents by their attributes, without their passages',
    async (open, name) => {
      await using index = await open(name)
      await index.add([
        { id: 'b', title: 'B', text: paragraphs('roof', 9), attrs: { at: 1, tag: 'x' } },
        { id: 'a', text: 'short', attrs: { at: 2, tag: 'x' } },
        { id: 'c', text: '', attrs: { at: 3, tag: 'y' } },
      ])
      const all = await index.list()
      expect(all.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
      expect(all[1]).toEqual({ id: 'b', title: 'B', attrs: { at: 1, tag: 'x' }, passages: expect.any(Number) })
      expect(all[1]!.passages).toBeGreaterThan(1)
      const ids = async (options: Parameters<typeof index.list>[0]) => (await index.list(options)).map(({ id }) => id)
      expect(await ids({ orderBy: { at: 'desc' }, limit: 2 })).toEqual(['c', 'a'])
      expect(await ids({ filter: { tag: 'x' }, orderBy: 'at', offset: 1 })).toEqual(['a'])
      expect(await ids({ filter: undefined } as never)).toEqual(['a', 'b', 'c'])
      for (const bad of [{ topK: 1 }, { filter: 5 }, { limit: -1 }, { filter: { tag: { $near: 1 } } }])
        expect([bad, await codeOf(() => index.list(bad as never))]).toEqual([bad, 'INVALID_ARGUMENT'])
    },
  ],
]

/** The same, in a storage that keeps it. */
export const STORING_KEPT: Case[] = [
  [
    'what waits for its vectors since an earlier opening does not delay those who wait',
    async (open, name) => {
      const { embedder, asked } = hanging()
      const before = await open(name, { embedder })
      const left = Array.from({ length: 300 }, (_, i) => ({ id: `d${i}`, text: `text ${i} of the river` }))
      const adding = codeOf(() => before.add(left))
      await asked
      await before.close()
      expect(await adding).toBe('CLOSED')
      const next = wordEmbedder()
      await using index = await open(name, { embedder: next })
      const told: TextProgress[] = []
      const report = await index.add(left, { onProgress: (progress) => void told.push(progress) })
      expect(report).toMatchObject({ added: 0, unchanged: 300, passages: 0 })
      const steps = told.map(({ embedded }) => embedded)
      expect(steps.at(-1)).toBe(report.embedded)
      // It tells of each step of its own.
      expect(steps).toEqual(steps.toSorted((a, b) => a - b))
      expect(new Set(steps).size).toBeGreaterThan(3)
      expect(next.embedded()).toBe(300)
      expect(await index.state()).toMatchObject({ passages: 300, embedded: 300 })
    },
  ],
  [
    'a change of the model while tokens are counted lets the new one count',
    async (open, name) => {
      const counting = event()
      const closed = event()
      const old = counter(async () => {
        counting.happened()
        await closed.happens
        throw new Error('the worker is gone')
      })
      Object.assign(old, { model: 'old', close: closed.happened })
      await using index = await open(name, { embedder: old })
      const adding = index.add({ id: 'a', text: 'the roof leaks' })
      await counting.happens
      await index.reembed(
        Object.assign(
          counter(() => {}),
          { model: 'new' },
        ),
      )
      expect(await adding).toMatchObject({ added: 1, embedded: 1 })
    },
  ],
  [
    'what waits since an earlier opening is of no concern to a later call',
    async (open, name) => {
      const before = await open(name)
      const bad = Array.from({ length: 20 }, (_, i) => ({ id: `bad${i}`, text: 'BAD' }))
      await before.add(bad)
      await before.close()
      const embedder = wordEmbedder()
      const { embed } = embedder
      embedder.embed = async (texts, options) => {
        if (texts.includes('BAD')) throw new Error('no')
        return embed(texts, options)
      }
      await using index = await open(name, { embedder: Object.assign(embedder, { batchSize: 64 }), resume: false })
      const good = Array.from({ length: 2500 }, (_, i) => ({ id: `good${i}`, text: `text ${i}` }))
      expect(await index.add(good)).toMatchObject({ added: 2500, embedded: 2500 })
      expect(await index.state()).toMatchObject({ passages: 2520, embedded: 2500 })
    },
  ],
  [
    'vectors of a slow model are stored after each second',
    async (open, name) => {
      const { now } = performance
      let clock = 0
      performance.now = () => now.call(performance) + clock
      try {
        const embedder = wordEmbedder()
        const { embed } = embedder
        const third = event()
        let batches = 0
        embedder.embed = async (texts, options) => {
          clock += 1000
          if (++batches < 3) return embed(texts, options)
          third.happened()
          return never()
        }
        const index = await open(name, { embedder })
        const told: number[] = []
        const adding = codeOf(() =>
          index.add(
            Array.from({ length: 64 }, (_, i) => ({ id: `d${i}`, text: `text ${i} of the river` })),
            { onProgress: ({ embedded }) => void told.push(embedded) },
          ),
        )
        await third.happens
        expect(await index.state()).toMatchObject({ passages: 64, embedded: 32 })
        expect(told.slice(-2)).toEqual([16, 32])
        await index.close()
        expect(await adding).toBe('CLOSED')
        const next = wordEmbedder()
        await using again = await open(name, { embedder: next })
        await again.embedAll()
        expect([next.embedded(), (await again.state()).embedded]).toEqual([32, 64])
      } finally {
        performance.now = now
      }
    },
  ],
]
