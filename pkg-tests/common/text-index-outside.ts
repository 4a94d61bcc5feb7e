import { expect } from 'vitest'
import { Nidus } from 'nidus-wasm'
import type { AddOptions, DocumentInput, Embedder } from 'nidus-wasm/text'
import { codeOf } from './place'
import { paragraphs, wordEmbedder } from './text-index'
import { type Case, never, event, hanging, documentsThen, errorOf } from './text-index-hanging'

// What an index does while the caller's own code (embedders, chunkers, iterables, callbacks) hangs, fails or lies.

export const OUTSIDE: Case[] = [
  [
    'close ends what waits for an embedder that hangs',
    async (open, name) => {
      const { embedder, asked } = hanging()
      const index = await open(name, { embedder })
      const adding = codeOf(() => index.add({ id: 'a', text: 'the roof leaks' }))
      await asked
      await index.close()
      expect(await adding).toBe('CLOSED')
    },
  ],
  [
    'a search after an add knows its vectors, although nobody was told of the change yet',
    async (open, name) => {
      const { on } = Nidus.prototype
      Nidus.prototype.on = () => () => {}
      try {
        const index = await open(name, { embedder: wordEmbedder() })
        expect(await index.search('roof')).toHaveLength(0)
        await index.add({ id: 'a', text: 'the roof leaks' })
        const { by, embedded } = await index.search('roof')
        expect([by, embedded]).toEqual(['hybrid', 1])
        await index.remove('a')
        expect((await index.state()).passages).toBe(0)
        await index.close()
      } finally {
        Nidus.prototype.on = on
      }
    },
  ],
  [
    'a question that nobody waits for any more is not embedded to its end',
    async (open, name) => {
      const embedder = wordEmbedder()
      const index = await open(name, { embedder })
      await index.add({ id: 'a', text: 'the roof leaks' })
      const { embed } = embedder
      const signals: (AbortSignal | undefined)[] = []
      let asked = event()
      const recording: Embedder['embed'] = (_, { signal }) => (signals.push(signal), asked.happened(), never())
      Object.assign(embedder, { embed: recording })
      const [one, other] = [new AbortController(), new AbortController()]
      const both = [one, other].map(({ signal }) => codeOf(() => index.search('roof', { signal })))
      await asked.happens
      one.abort()
      expect(await both[0]).toBe('ABORTED')
      expect(signals.map((signal) => signal?.aborted)).toEqual([false])
      other.abort()
      expect(await both[1]).toBe('ABORTED')
      expect(signals.map((signal) => signal?.aborted)).toEqual([true])
      // Asked again, it is embedded again, also while the first one still hangs.
      asked = event()
      const late = new AbortController()
      const third = codeOf(() => index.search('roof', { signal: late.signal }))
      await asked.happens
      expect(signals.map((signal) => signal?.aborted)).toEqual([true, false])
      late.abort()
      expect(await third).toBe('ABORTED')
      embedder.embed = embed
      expect((await index.search('roof')).map(({ id }) => id)).toEqual(['a'])
      await index.close()
    },
  ],
  [
    'a search whose embedder hangs ends with its signal, or with the index',
    async (open, name) => {
      const embedder = wordEmbedder()
      const index = await open(name, { embedder })
      await index.add({ id: 'a', text: 'the roof leaks' })
      const asked = event()
      embedder.embed = () => (asked.happened(), never())
      const stop = new AbortController()
      const aborted = codeOf(() => index.search('roof', { signal: stop.signal }))
      const closed = codeOf(() => index.search('roof'))
      await asked.happens
      stop.abort()
      expect(await aborted).toBe('ABORTED')
      await index.close()
      expect(await closed).toBe('CLOSED')
    },
  ],
  [
    'an aborted add gives up its step, and the next call goes on',
    async (open, name) => {
      const { embedder, asked, heal } = hanging()
      await using index = await open(name, { embedder })
      const stop = new AbortController()
      const adding = errorOf(() => index.add({ id: 'a', text: 'the roof leaks' }, { signal: stop.signal }))
      await asked
      heal()
      stop.abort()
      const { code, message } = await adding
      expect(code).toBe('ABORTED')
      expect(message).toContain('all documents of this call are stored')
      await index.add({ id: 'b', text: 'the river' })
      await index.embedAll()
      expect(await index.state()).toMatchObject({ documents: 2, embedded: 2 })
    },
  ],
  [
    'an iterable that never answers ends with the signal, or with the index, and the error says what is stored',
    async (open, name) => {
      const index = await open(name)
      const stop = new AbortController()
      const waits = event()
      let returned = 0
      const documents: AsyncIterable<DocumentInput> = {
        [Symbol.asyncIterator]() {
          const inner = documentsThen(70, () => (waits.happened(), never()))[Symbol.asyncIterator]()
          return { next: () => inner.next(), return: async () => (returned++, never()) }
        },
      }
      const adding = errorOf(() => index.add(documents, { signal: stop.signal }))
      await waits.happens
      stop.abort()
      const { code, message } = await adding
      const { documents: stored } = await index.state()
      expect([code, stored, returned]).toEqual(['ABORTED', 64, 1])
      expect(message).toContain('The index has 64 documents of this call, and not the rest')
      const again = event()
      const closed = codeOf(() => index.add(documentsThen(3, () => (again.happened(), never()))))
      await again.happens
      await index.close()
      expect(await closed).toBe('CLOSED')
    },
  ],
  [
    'a refused passage does not block others, and the error names its document',
    async (open, name) => {
      const embedder = wordEmbedder()
      const { embed } = embedder
      embedder.embed = async (texts, options) => {
        if (options.kind === 'passage' && texts.some((text) => text.includes('poison'))) throw new Error('too bad')
        return embed(texts, options)
      }
      await using index = await open(name, { embedder })
      const documents = Array.from({ length: 100 }, (_, i) => ({
        id: `d${i}`,
        text: i === 7 || i === 8 ? `poison ${i}` : `text ${i} of the river`,
      }))
      const error = await errorOf(() => index.add(documents))
      expect([error.code, error.documents!.sort()]).toEqual(['EMBEDDER_FAILED', ['d7', 'd8']])
      expect(error.message).toContain('"d7" (passage 0)')
      expect((error.cause as Error).message).toBe('too bad')
      expect(await index.state()).toMatchObject({ documents: 100, passages: 100, embedded: 98 })
      expect((await index.search('poison 7', { by: 'words' }))[0]!.id).toBe('d7')
      // It is tried again, and may succeed then.
      expect((await errorOf(() => index.embedAll())).documents!.sort()).toEqual(['d7', 'd8'])
      embedder.embed = embed
      await index.embedAll()
      expect(await index.state()).toMatchObject({ embedded: 100 })
    },
  ],
  [
    'a passage without a vector is ranked by its words alone',
    async (open, name) => {
      const embedder = wordEmbedder()
      await using index = await open(name, { embedder })
      const away = { id: 'away', text: 'the landlord is away. '.repeat(6) }
      const others = Array.from({ length: 20 }, (_, i) => ({ id: `o${i}`, text: `paper ${i} about cats and trees` }))
      await index.add([away, ...others])
      const { embed } = embedder
      embedder.embed = async (texts, options) => {
        if (options.kind === 'passage') throw new Error('not now')
        return embed(texts, options)
      }
      // The best one by its words has no vector.
      const both = { id: 'both', text: 'landlord roof', attrs: { tag: 'x' } }
      expect(await codeOf(() => index.add([both, { id: 'far', text: 'nothing of it' }]))).toBe('EMBEDDER_FAILED')
      for (const fusion of [undefined, 'rrf', { text: 0.2 }] as const) {
        const hits = await index.search('landlord roof', { fusion, topK: 3, passages: 2 })
        // By ranks it is as good as the first one of the others.
        const at = hits.findIndex(({ id }) => id === 'both')
        expect([fusion, hits.by, at]).toEqual([fusion, 'hybrid', fusion === 'rrf' ? 1 : 0])
        expect(hits[at]!.passages).toHaveLength(1)
        // A passage with neither a vector nor a word is not found.
        const ids = (await index.search('landlord roof', { fusion, topK: 50 })).map(({ id }) => id)
        expect(ids).not.toContain('far')
        expect(new Set(ids).size).toBe(ids.length)
        const second = await index.search('landlord roof', { fusion, topK: 1, offset: 1 })
        expect(second.map(({ id }) => id)).toEqual([ids[1]])
        expect((await index.search('landlord roof', { fusion, filter: { tag: 'x' } })).map(({ id }) => id)).toEqual([
          'both',
        ])
      }
      const [best] = await index.search('landlord roof')
      expect(best!.score).toBeLessThanOrEqual(1)
      expect((await index.search('landlord roof', { minScore: best!.score })).length).toBe(1)
      // By meaning alone, nothing is known of it.
      const ids = (await index.search('landlord roof', { fusion: { text: 0 }, topK: 50 })).map(({ id }) => id)
      expect(ids).not.toContain('both')
      // A document with passages of both kinds shows both.
      embedder.embed = embed
      await index.embedAll()
      const text = paragraphs('roof', 6)
      await index.add({ id: 'half', text })
      embedder.embed = () => Promise.reject(new Error('not now'))
      await codeOf(() => index.add({ id: 'half', text: `${text}\n\n${paragraphs('landlord', 1)}` }))
      embedder.embed = embed
      const [half] = await index.search('landlord', { topK: 1, passages: 20, filter: { _doc: 'half' } as never })
      expect(half!.passages.length).toBe((await index.get('half'))!.passages.length)
    },
  ],
  [
    'embeds while documents still come',
    async (open, name) => {
      const embedder = wordEmbedder()
      const { embed } = embedder
      const some = event()
      embedder.embed = async (texts, options) => {
        const vectors = await embed(texts, options)
        if (embedder.embedded() >= 64) some.happened()
        return vectors
      }
      await using index = await open(name, { embedder })
      const report = await index.add(documentsThen(70, () => some.happens))
      expect(report).toMatchObject({ added: 70, embedded: 70 })
      expect(await index.state()).toMatchObject({ documents: 70, embedded: 70 })
    },
  ],
  [
    'embeds more passages than it keeps the ids of, each once',
    async (open, name) => {
      const embedder = Object.assign(wordEmbedder('words', 4), { batchSize: 1024 })
      await using index = await open(name, { embedder })
      index.pause()
      const told: number[] = []
      const stored = event()
      const onProgress: AddOptions['onProgress'] = ({ documents, embedded, passages }) => {
        if (documents === 10_000) stored.happened()
        expect(embedded).toBeLessThanOrEqual(passages)
        told.push(embedded)
      }
      const documents = Array.from({ length: 10_000 }, (_, i) => ({ id: `d${i}`, text: `n${i}` }))
      const adding = index.add(documents, { onProgress })
      await stored.happens
      index.resume()
      expect(await adding).toMatchObject({ added: 10_000, embedded: 10_000 })
      expect(await index.state()).toMatchObject({ embedded: 10_000 })
      expect([told.at(-1), embedder.embedded()]).toEqual([10_000, 10_000])
    },
  ],
  [
    "what the caller's functions throw has a code, and loses nothing",
    async (open, name) => {
      const cause = new Error('mine')
      const fails = () => {
        throw cause
      }
      const expectFailure = async (code: string, run: () => Promise<unknown>, what: RegExp) => {
        const error = await errorOf(run)
        expect([what, error.code, error.cause]).toEqual([what, code, cause])
        expect(error.message).toMatch(what)
      }
      const embedder = wordEmbedder()
      const index = await open(name, { embedder })
      const add = (options: AddOptions) => () => index.add([{ id: 'a', text: 'the roof' }], options)
      await expectFailure('CALLBACK_FAILED', add({ onProgress: fails }), /onProgress/)
      expect(await index.state()).toMatchObject({ documents: 1 })
      await index.embedAll()
      const { embed } = embedder
      embedder.embed = never
      await expectFailure('CALLBACK_FAILED', () => index.search('the', { onWords: fails }), /onWords/)
      embedder.embed = embed
      const broken = documentsThen(3, async () => fails())
      await expectFailure('CALLBACK_FAILED', () => index.add(broken), /iterable.* has 3 documents of this call/)
      expect(await index.state()).toMatchObject({ documents: 4 })
      const bad = [{ id: 'before', text: 'x' }, { id: 'bad' } as never, { id: 'after', text: 'x' }]
      expect((await errorOf(() => index.add(bad))).message).toContain('has 1 document of this call')
      expect(await index.get('before')).toBeDefined()
      for (const countTokens of [fails, () => [], () => null, (texts: string[]) => texts.map(() => NaN)]) {
        Object.assign(embedder, { countTokens })
        const error = await errorOf(() => index.add({ id: 'long', text: paragraphs('sea', 3) }))
        expect([error.code, (await index.get('long'))?.id]).toEqual(['EMBEDDER_FAILED', 'long'])
        await index.remove('long')
      }
      Object.assign(embedder, { countTokens: undefined, embed: async () => [Array<bigint>(32).fill(1n)] })
      expect(await codeOf(() => index.add({ id: 'big', text: 'x' }))).toBe('EMBEDDER_FAILED')
      Object.assign(embedder, { close: fails })
      await expectFailure('EMBEDDER_FAILED', () => index.close(), /closed/)
      let chunk: () => unknown = fails
      await using own = await open(`${name} own`, { chunks: { name: 'own', chunk: () => chunk() as never } })
      await expectFailure('CALLBACK_FAILED', () => own.add({ id: 'a', text: 'x' }), /"a".*chunker/)
      for (const wrong of [[null], [undefined], null, [{ text: 'x', start: 0, end: 9 }], ['x']]) {
        chunk = () => wrong
        expect([wrong, await codeOf(() => own.add({ id: 'a', text: 'x' }))]).toEqual([wrong, 'INVALID_ARGUMENT'])
      }
      const hangs = event()
      const stop = new AbortController()
      chunk = () => (hangs.happened(), never())
      const adding = codeOf(() => own.add({ id: 'a', text: 'x' }, { signal: stop.signal }))
      await hangs.happens
      stop.abort()
      expect(await adding).toBe('ABORTED')
    },
  ],
]
