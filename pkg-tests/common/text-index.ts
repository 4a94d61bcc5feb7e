import { expect } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { type TextIndex, type Embedder } from 'nidus-wasm/text'
import { codeOf } from './place'

/** An embedder without a model: each word adds to a few of the numbers. Counts what it embeds. */
export function wordEmbedder(model = 'words', dimension = 32) {
  const calls: { texts: string[]; kind: string }[] = []
  const vectorOf = (text: string) => {
    const vector = new Array<number>(dimension).fill(0.001)
    for (const word of text.toLowerCase().match(/\p{L}+/gu) ?? []) {
      let seed = 7
      for (const letter of word + model) seed = (seed * 31 + letter.codePointAt(0)!) % 1_000_003
      for (let i = 0; i < 3; i++) vector[(seed = (seed * 48271) % 2147483647) % dimension]! += 1
    }
    return vector
  }
  return Object.assign(
    {
      model,
      dimension,
      embed: async (texts: string[], { kind }: { kind: 'query' | 'passage' }) => {
        calls.push({ texts, kind })
        return texts.map(vectorOf)
      },
    } satisfies Embedder,
    {
      calls,
      /** The number of passages that were embedded. */
      embedded: () => calls.filter(({ kind }) => kind === 'passage').reduce((sum, { texts }) => sum + texts.length, 0),
    },
  )
}

export const paragraphs = (topic: string, count: number) =>
  Array.from({ length: count }, (_, i) =>
    `The ${topic} number ${i} is here. It says something about ${topic}. `.repeat(6),
  ).join('\n\n')

type Case = [name: string, run: (open: Open, name: string) => Promise<void>]
type Open = (name: string, options?: Parameters<typeof TextIndex.open>[1]) => Promise<TextIndex>

/** What an index does in every place: [name, test] each. `open` opens it in the storage that is tested. */
export const CASES: Case[] = [
  [
    'finds a document by its words and by its meaning, with its passage',
    async (open, name) => {
      await using index = await open(name, { embedder: wordEmbedder() })
      const report = await index.add([
        {
          id: 'n1',
          title: 'Moving house',
          text: '# The roof\nThe landlord said that it leaks.\n# The cellar\nIt is dry.',
          format: 'markdown',
          attrs: { tag: 'home', at: new Date(5) },
        },
        { id: 'n2', text: 'Bread needs flour and water.', attrs: { tag: 'food' } },
      ])
      expect(report).toEqual({ added: 2, unchanged: 0, passages: 3, embedded: 3 })
      const hits = await index.search('landlord roof')
      expect(hits).toMatchObject({ by: 'hybrid', embedded: 1 })
      expect(hits.took).toBeGreaterThanOrEqual(0)
      expect((await index.search(' ')).took).toBe(0)
      expect(hits[0]).toMatchObject({
        id: 'n1',
        title: 'Moving house',
        attrs: { tag: 'home', at: new Date(5) },
        passage: { headings: ['The roof'], text: 'The landlord said that it leaks.', start: 11, end: 43, number: 0 },
      })
      expect(Object.keys(hits[0]!.attrs)).toEqual(['at', 'tag'])
      const [from, to] = hits[0]!.passage.matches[0]!
      expect(hits[0]!.passage.text.slice(from, to)).toBe('landlord')
      expect((await index.search('water', { filter: { tag: 'home' } })).map(({ id }) => id)).toEqual(['n1'])
      expect((await index.search('water', { by: 'words', filter: { tag: 'home' } })).length).toBe(0)
      expect((await index.search('landlord', { by: 'meaning', topK: 1 }))[0]).toMatchObject({ id: 'n1' })
      expect((await index.search('it', { passages: 5, by: 'words' }))[0]!.passages).toHaveLength(2)
      expect(await index.state()).toMatchObject({ model: 'words', documents: 2, passages: 3, embedded: 3 })
      expect((await index.get('n1'))!.passages.map(({ text }) => text)).toEqual([
        'The landlord said that it leaks.',
        'It is dry.',
      ])
      expect(await index.remove(['n1', 'nobody'])).toBe(1)
      expect(await index.get('n1')).toBe(undefined)
      expect(await index.state()).toMatchObject({ documents: 1, passages: 1 })
    },
  ],
  [
    'embeds only what has changed',
    async (open, name) => {
      const embedder = wordEmbedder()
      await using index = await open(name, { embedder })
      const text = paragraphs('river', 10)
      const first = await index.add({ id: 'a', text })
      expect(first.embedded).toBe(first.passages)
      expect(first.passages).toBeGreaterThan(4)
      const before = embedder.embedded()
      expect(await index.add({ id: 'a', text })).toEqual({ added: 0, unchanged: 1, passages: 0, embedded: 0 })
      expect(embedder.embedded()).toBe(before)
      // Another attribute: written anew, and nothing is embedded.
      expect(await index.add({ id: 'a', text, attrs: { tag: 'x' } })).toMatchObject({ added: 1, embedded: 0 })
      expect(embedder.embedded()).toBe(before)
      // Another end: only the last passages are embedded.
      const longer = await index.add({ id: 'a', text: `${text}\n\n${paragraphs('lake', 1)}` })
      expect(longer.embedded).toBeGreaterThan(0)
      expect(longer.embedded).toBeLessThan(first.passages)
      // A shorter text leaves nothing of the longer one.
      await index.add({ id: 'a', text: 'short' })
      expect(await index.state()).toMatchObject({ documents: 1, passages: 1, embedded: 1 })
      expect((await index.search('lake', { by: 'words' })).length).toBe(0)
      expect(await index.db.count('passages', { _was: { $exists: true } })).toBe(0)
    },
  ],
  [
    'judges under the lock whether a document has changed',
    async (open, name) => {
      await using index = await open(name, { embedder: wordEmbedder() })
      await index.add({ id: 'a', text: 'one' })
      await Promise.all([index.add({ id: 'a', text: 'two' }), index.add({ id: 'a', text: 'one' })])
      expect((await index.get('a'))!.passages[0]!.text).toBe('one')
      await Promise.all([index.remove('a'), index.add({ id: 'a', text: 'one' })])
      expect((await index.get('a'))!.passages[0]!.text).toBe('one')
      const both = await Promise.all([index.search('one'), index.search('one')])
      expect(both.map(({ by, embedded }) => [by, embedded])).toEqual([
        ['hybrid', 1],
        ['hybrid', 1],
      ])
    },
  ],
  [
    'words answer while nothing is embedded, and the share is told',
    async (open, name) => {
      const embedder = wordEmbedder()
      let go!: () => void
      const wait = new Promise<void>((resolve) => (go = resolve))
      const embed = embedder.embed
      embedder.embed = async (texts, options) => {
        if (options.kind === 'passage') await wait
        return embed(texts, options)
      }
      await using index = await open(name, { embedder })
      const adding = index.add({ id: 'a', text: 'the roof leaks' })
      while ((await index.state()).passages === 0);
      expect(await index.search('roof')).toMatchObject({ by: 'words', embedded: 0, length: 1 })
      expect(await index.search('roof', { by: 'meaning' })).toHaveLength(0)
      go()
      await adding
      expect(await index.search('roof')).toMatchObject({ by: 'hybrid', embedded: 1, length: 1 })
    },
  ],
  [
    'gives the answer of words first, if the embedder is slow',
    async (open, name) => {
      const embedder = wordEmbedder()
      await using index = await open(name, { embedder })
      await index.add({ id: 'a', text: 'the roof leaks' })
      const { embed } = embedder
      let go!: () => void
      const wait = new Promise<void>((resolve) => (go = resolve))
      embedder.embed = async (texts, options) => (await wait, embed(texts, options))
      const told: string[] = []
      const hits = await index.search('roof', { onWords: (words) => (told.push(words.by, words[0]!.id), go()) })
      expect([told, hits.by]).toEqual([['words', 'a'], 'hybrid'])
      // The vector of a question that was asked before is there at once.
      await index.search('roof', { onWords: () => told.push('again') })
      expect(told).toHaveLength(2)
      const signal = AbortSignal.abort()
      expect(await codeOf(() => index.search('roof', { signal }))).toBe('ABORTED')
    },
  ],
  [
    'an embedder that fails loses nothing, and the next one goes on',
    async (open, name) => {
      const embedder = wordEmbedder()
      const { embed } = embedder
      for (const [what, bad] of [
        ['throws', () => Promise.reject(new Error('no network'))],
        ['count', async () => []],
        ['length', async (texts: string[]) => texts.map(() => [1])],
        ['NaN', async (texts: string[]) => texts.map(() => new Array<number>(32).fill(NaN))],
        ['zeros', async (texts: string[]) => texts.map(() => new Array<number>(32).fill(0))],
        ['nothing', async () => undefined],
      ] as const) {
        embedder.embed = bad as never
        const index = await open(`${name} ${what}`, { embedder })
        expect([what, await codeOf(() => index.add({ id: 'a', text: 'the roof leaks' }))]).toEqual([
          what,
          'EMBEDDER_FAILED',
        ])
        const hits = await index.search('roof')
        expect(hits).toMatchObject({ by: 'words', length: 1 })
        embedder.embed = embed
        await index.embedAll()
        embedder.embed = bad as never
        const found = await index.search('the roof')
        expect(found).toMatchObject({ by: 'words', embedderError: { code: 'EMBEDDER_FAILED' }, length: 1 })
        expect(await codeOf(() => index.search('the roof', { by: 'meaning' }))).toBe('EMBEDDER_FAILED')
        await index.close()
        embedder.embed = embed
      }
    },
  ],
  [
    'refuses what it does not understand, by name',
    async (open, name) => {
      await using index = await open(name, { embedder: wordEmbedder() })
      for (const bad of [
        { id: 'a' },
        { text: 'a' },
        { id: 'a', text: 'a', tittle: 'x' },
        { id: 'a', text: 'a', attrs: { text: 'x' } },
        { id: 'a', text: 'a', attrs: { _n: 1 } },
        { id: 'a', text: 'a', format: 'pdf' },
        null,
        'a',
      ])
        expect([bad, await codeOf(() => index.add(bad as never))]).toEqual([bad, 'INVALID_ARGUMENT'])
      await expect(index.add({ id: 'a', text: 'a', attrs: { x: {} } } as never)).rejects.toThrow(
        'document "a": attribute "x" is an object',
      )
      for (const bad of [{ topk: 1 }, { by: 'sense' }, { passages: 0 }, { onWords: 1 }, { topK: -1 }])
        expect([bad, await codeOf(() => index.search('a', bad as never))]).toEqual([bad, 'INVALID_ARGUMENT'])
      for (const bad of [{ embeder: 1 }, { chunks: { size: 3 } }, { store: { dimension: 3 } }, { embedder: {} }])
        expect([bad, await codeOf(() => open(`${name} 2`, bad as never))]).toEqual([bad, 'INVALID_ARGUMENT'])
      expect((await index.state()).documents).toBe(0)
      expect(await index.add([])).toEqual({ added: 0, unchanged: 0, passages: 0, embedded: 0 })
      expect(await index.add({ id: 'empty', text: '' })).toMatchObject({ added: 1, passages: 1, embedded: 0 })
      expect(await index.search('')).toHaveLength(0)
      // A question may be longer than a search for words takes.
      await index.add({ id: 'w3', text: 'w3 is here' })
      const long = Array.from({ length: 5000 }, (_, i) => `w${i}`).join(' ')
      expect((await index.search(long))[0]!.id).toBe('w3')
      expect((await index.search(long, { by: 'words' }))[0]!.id).toBe('w3')
    },
  ],
]

/** What an index does in a storage that keeps it. */
export const KEPT: Case[] = [
  [
    'remembers model and chunks, and refuses others',
    async (open, name) => {
      const first = await open(name, { embedder: wordEmbedder(), chunks: { size: 60, overlap: 0 } })
      await first.add({ id: 'a', text: paragraphs('river', 3) })
      const { passages } = await first.state()
      await first.close()
      expect(await codeOf(() => open(name, { embedder: wordEmbedder('other') }))).toBe('EMBEDDER_MISMATCH')
      expect(await codeOf(() => open(name, { embedder: wordEmbedder('words', 16) }))).toBe('EMBEDDER_MISMATCH')
      expect(await codeOf(() => open(name, { embedder: wordEmbedder(), chunks: { size: 100 } }))).toBe(
        'INVALID_ARGUMENT',
      )
      await using again = await open(name, { embedder: wordEmbedder() })
      expect(await again.state()).toMatchObject({ documents: 1, passages, embedded: passages })
      // The same document is cut in the same way, although no sizes were given.
      expect(await again.add({ id: 'a', text: paragraphs('river', 3) })).toMatchObject({ unchanged: 1 })
    },
  ],
  [
    'goes on with what was not embedded when it is opened again',
    async (open, name) => {
      const stop = new AbortController()
      const embedder = wordEmbedder()
      const { embed } = embedder
      let allStored!: () => void
      const stored = new Promise<void>((resolve) => (allStored = resolve))
      embedder.embed = async (texts, options) => {
        if (options.kind === 'passage' && embedder.embedded() >= 32) await stored
        const vectors = await embed(texts, options)
        if (options.kind === 'passage' && embedder.embedded() >= 96) stop.abort()
        return vectors
      }
      const first = await open(name, { embedder })
      const documents = Array.from({ length: 200 }, (_, i) => ({ id: `d${i}`, text: `text ${i} of the river` }))
      const onProgress = (progress: { documents: number }) => void (progress.documents === 200 && allStored())
      expect(await codeOf(() => first.add(documents, { signal: stop.signal, onProgress }))).toBe('ABORTED')
      await first.close()
      const next = wordEmbedder()
      await using again = await open(name, { embedder: next, resume: false })
      const { embedded } = await again.state()
      expect(embedded).toBeLessThan(200)
      expect((await again.search('river', { topK: 300 })).length).toBe(200)
      await again.embedAll()
      expect(await again.state()).toMatchObject({ documents: 200, embedded: 200 })
      expect(next.embedded()).toBe(200 - embedded)
    },
  ],
  [
    'gets an embedder later',
    async (open, name) => {
      const words = await open(name)
      await words.add([
        { id: 'a', title: 'One', text: 'the roof leaks', attrs: { n: 1 } },
        { id: 'b', text: 'the river is wide' },
      ])
      expect(await words.search('roof')).toMatchObject({ by: 'words', embedded: 0, length: 1 })
      expect(await codeOf(() => words.search('roof', { by: 'hybrid' }))).toBe('INVALID_ARGUMENT')
      await words.close()
      await using index = await open(name, { embedder: wordEmbedder(), resume: false })
      expect(await index.state()).toMatchObject({ documents: 2, embedded: 0 })
      expect(await index.search('roof')).toMatchObject({ by: 'words', length: 1 })
      await index.embedAll()
      expect(await index.search('roof', { topK: 1 })).toMatchObject({ by: 'hybrid', embedded: 1 })
      expect(await index.get('a')).toMatchObject({ title: 'One', attrs: { n: 1 } })
    },
  ],
  [
    'a change of the model loses no other store and no other collection',
    async (open, name) => {
      const index = await open(name, { embedder: wordEmbedder('old', 16) })
      await index.add({ id: 'a', text: 'the roof leaks' })
      const next = await open(`${name}.next`)
      await next.add({ id: 'mine', text: 'another index' })
      await next.close()
      expect(await codeOf(() => index.reembed(wordEmbedder('new', 48)))).toBe('ALREADY_EXISTS')
      await using still = await open(`${name}.next`)
      expect((await still.state()).documents).toBe(1)
      await index.db.upsert('mine', { id: 'x', vector: new Float32Array(16).fill(1) })
      expect(await codeOf(() => index.reembed(wordEmbedder('new', 48)))).toBe('INVALID_ARGUMENT')
      expect(await index.db.count('mine')).toBe(1)
      expect(await index.search('roof')).toMatchObject({ by: 'hybrid', length: 1 })
      await index.close()
    },
  ],
  [
    'changes the model while the old one answers, and goes on if it was interrupted',
    async (open, name) => {
      const old = wordEmbedder('old', 16)
      const documents = Array.from({ length: 150 }, (_, i) => ({ id: `d${i}`, text: `text ${i} of the river` }))
      const first = await open(name, { embedder: old })
      await first.add(documents)
      const stop = new AbortController()
      const onProgress = ({ embedded }: { embedded: number }) => void (embedded >= 64 && stop.abort())
      expect(await codeOf(() => first.reembed(wordEmbedder('new', 48), { onProgress, signal: stop.signal }))).toBe(
        'ABORTED',
      )
      expect(await first.search('river', { topK: 3 })).toMatchObject({ by: 'hybrid', length: 3 })
      await first.close()
      await using index = await open(name, { embedder: wordEmbedder('old', 16) })
      await index.add({ id: 'd7', text: 'this one has changed to a mountain' })
      await index.remove('d8')
      const next = wordEmbedder('new', 48)
      let answered = 0
      const { embed } = next
      next.embed = async (texts, options) => {
        answered += (await index.search('river', { topK: 3 })).length
        return embed(texts, options)
      }
      await index.reembed(next)
      expect(answered).toBeGreaterThan(0)
      expect(next.embedded()).toBeLessThan(150)
      expect(await index.state()).toMatchObject({ model: 'new', documents: 149, passages: 149, embedded: 149 })
      expect(index.db.dimension).toBe(48)
      next.embed = embed
      expect((await index.search('mountain', { topK: 1 }))[0]!.id).toBe('d7')
      await index.add({ id: 'new', text: 'a new text' })
      expect(await index.state()).toMatchObject({ documents: 150, embedded: 150 })
      const names = (await Nidus.list().catch(() => [])).map((store) => store.name)
      expect(names).not.toContain(`${name}.next`)
    },
  ],
]
