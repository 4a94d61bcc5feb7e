import { expect } from 'vitest'
import { codeOf } from './place'
import { wordEmbedder } from './text-index'
import { type Case, event, hanging, documentsThen, errorOf } from './text-index-hanging'

/** What an index does in a storage that keeps it, where the model can be changed. */
export const OUTSIDE_KEPT: Case[] = [
  [
    'reembed ends with its signal or with the index, if the embedder hangs',
    async (open, name) => {
      const index = await open(name, { embedder: wordEmbedder('old', 16) })
      await index.add({ id: 'a', text: 'the roof leaks' })
      const stop = new AbortController()
      const first = hanging('new')
      const aborted = codeOf(() => index.reembed(first.embedder, { signal: stop.signal }))
      await first.asked
      stop.abort()
      expect(await aborted).toBe('ABORTED')
      expect(await index.search('roof')).toMatchObject({ by: 'hybrid', length: 1 })
      const second = hanging('new')
      const closed = codeOf(() => index.reembed(second.embedder))
      await second.asked
      await index.close()
      expect(await closed).toBe('CLOSED')
    },
  ],
  [
    'add and search across a change of the model give right answers',
    async (open, name) => {
      const old = wordEmbedder('old', 16)
      await using index = await open(name, { embedder: old })
      await index.add(Array.from({ length: 40 }, (_, i) => ({ id: `d${i}`, text: `text ${i} of the river` })))
      // A question whose vector the old model is making, an `add` in the middle of its iterable, and one that begins
      // while the store is replaced.
      const { embed } = old
      const asked = event()
      const change = event()
      old.embed = async (texts, options) => {
        if (options.kind !== 'query') return embed(texts, options)
        asked.happened()
        await change.happens
        return embed(texts, options)
      }
      const search = index.search('text 7', { topK: 3 })
      await asked.happens
      const waits = event()
      const adding = index.add(documentsThen(50, () => (waits.happened(), change.happens)))
      await waits.happens
      const next = wordEmbedder('new', 48)
      const begun: Promise<unknown>[] = []
      const reembed = index.reembed(next, {
        onProgress: () => void begun.push(index.add({ id: `late ${begun.length}`, text: 'one more' })),
      })
      const { close } = index.db
      index.db.close = async () => {
        begun.push(index.add({ id: 'switching', text: 'while it switches' }), index.search('river'), index.state())
        return close.call(index.db)
      }
      await reembed
      change.happened()
      expect((await search).map(({ id }) => id)).toContain('d7')
      await Promise.all([adding, ...begun])
      const { passages, embedded, model } = await index.state()
      expect([model, embedded, index.db.dimension]).toEqual(['new', passages, 48])
      expect((await index.search('while it switches', { by: 'meaning', topK: 1 }))[0]!.id).toBe('switching')
    },
  ],
  [
    'reembed sends no empty texts, tells its progress, and goes on without a refused passage',
    async (open, name) => {
      await using index = await open(name, { embedder: wordEmbedder('old', 16) })
      await index.add([
        { id: 'empty', text: '' },
        { id: 'blank', text: '  ', title: ' ' },
        { id: 'poison', text: 'poison' },
        ...Array.from({ length: 97 }, (_, i) => ({ id: `d${i}`, text: `text ${i} of the river` })),
      ])
      const next = wordEmbedder('new', 48)
      const { embed } = next
      next.embed = async (texts, options) => {
        expect(texts.every((text) => text.trim() !== '')).toBe(true)
        if (options.kind === 'passage' && texts.includes('poison')) throw new Error('no')
        return embed(texts, options)
      }
      const told: number[][] = []
      const error = await errorOf(() =>
        index.reembed(next, {
          onProgress: ({ documents, embedded, passages }) => void told.push([documents, embedded, passages]),
        }),
      )
      expect([error.code, error.documents]).toEqual(['EMBEDDER_FAILED', ['poison']])
      expect(told.at(-1)!.slice(0, 2)).toEqual([100, 97])
      expect(told.length).toBeGreaterThan(2)
      expect(await index.state()).toMatchObject({ model: 'new', passages: 100, embedded: 99 })
      next.embed = embed
      await index.embedAll()
      expect(await index.state()).toMatchObject({ embedded: 100 })
    },
  ],
  [
    'reembed with the same embedder does not close it, and with another one closes the old one once',
    async (open, name) => {
      let closed = 0
      const same = Object.assign(wordEmbedder('same', 16), { close: () => void closed++ })
      const index = await open(name, { embedder: same })
      await index.add({ id: 'a', text: 'the roof leaks' })
      const before = same.embedded()
      await index.reembed(same)
      expect([closed, same.embedded()]).toEqual([0, before + 1])
      expect(await index.search('roof')).toMatchObject({ by: 'hybrid', length: 1 })
      await index.reembed(wordEmbedder('other', 16))
      expect(closed).toBe(1)
      await index.close()
      expect(closed).toBe(1)
    },
  ],
  [
    'reembed makes the vectors that a killed process had only planned',
    async (open, name) => {
      const documents = Array.from({ length: 20 }, (_, i) => ({ id: `d${i}`, text: `text ${i} of the river` }))
      // What a process leaves that is killed while an index without vectors gains a model.
      const planned = await open(`${name}.next`)
      await planned.add(documents)
      await planned.close()
      const gained = await open(`${name}.next`, { embedder: wordEmbedder('new', 48), resume: false })
      expect(await gained.state()).toMatchObject({ passages: 20, embedded: 0 })
      await gained.db.setMeta('passages', { ...(await gained.db.getMeta('passages')), 'next-of': name })
      await gained.close()
      await using index = await open(name, { embedder: wordEmbedder('old', 16) })
      await index.add(documents)
      await index.reembed(wordEmbedder('new', 48))
      expect(await index.state()).toMatchObject({ model: 'new', passages: 20, embedded: 20 })
    },
  ],
]
