// What counts as an answer, and whether the shipped vectors are those of their texts. No browser is needed.
import { readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { EXAMPLES } from '../sets/examples.mjs'
import { notices, SETS, textsOf } from '../sets/texts.mjs'
import { markedAt } from '../src/highlight'
import { sureHits } from '../src/judge'

const hit = (cosine: number | undefined, words: number, share = 0.7) => {
  const meaning = share * (cosine ?? 0)
  return { id: '', score: words + meaning, parts: { words, meaning }, cosine, attrs: {}, matches: {} }
}

describe('what is close', () => {
  test('nothing is, if no meaning is near and no word is found', () => {
    expect(sureHits([], 0.42, false)).toBe(0)
    expect(sureHits([hit(0.34, 0), hit(0.33, 0)], 0.42, false)).toBe(0)
  })
  test('a near meaning is, until the scores drop', () => {
    expect(sureHits([hit(0.8, 0), hit(0.6, 0), hit(0.44, 0)], 0.42, false)).toBe(2)
    expect(sureHits([hit(0.6, 0), hit(0.41, 0)], 0.42, false)).toBe(1)
  })
  test('words are, whatever the meaning', () => {
    expect(sureHits([hit(0.1, 0.29)], 0.42, false)).toBe(1)
    expect(sureHits([hit(undefined, 1, 0), hit(undefined, 0.2, 0)], 0.42, true)).toBe(1)
  })
})

test('marks the words that were found, but no word that is everywhere', () => {
  const marks = (matches: unknown) =>
    markedAt('fear of the dark', matches)
      .filter(({ mark }) => mark)
      .map(({ text }) => text)
  expect(
    marks([
      [0, 4],
      [5, 7],
      [12, 16],
    ]),
  ).toEqual(['fear', 'dark'])
  for (const nonsense of [undefined, {}, [[3, 1]], [[9, 4]]]) expect(marks(nonsense)).toEqual([])
})

describe('the shipped sets', () => {
  const made = JSON.parse(readFileSync(new URL('../sets/made.json', import.meta.url), 'utf8'))
  const vectors = (name: string) => fileURLToPath(new URL(`../public/sets/${name}.i8`, import.meta.url))

  test.each(SETS)('the vectors of the %s were made from its texts', (name) => {
    const { rows, texts, examples, digest } = textsOf(name)
    expect(made[name].digest).toBe(digest)
    expect(rows.length).toBe(texts.length)
    expect(statSync(vectors(name)).size).toBe((rows.length + examples.length) * 384)
  })

  test.each(SETS)('the %s finds what its examples mean', (name) => {
    const { rows, examples } = textsOf(name)
    const bytes = new Int8Array(readFileSync(vectors(name)))
    const vector = (n: number) => {
      const row = Array.from(bytes.subarray(n * 384, (n + 1) * 384))
      const length = Math.hypot(...row)
      return row.map((value) => value / length)
    }
    const all = rows.map((_, n) => vector(n + examples.length))
    EXAMPLES[name].forEach(({ question, finds }, n) => {
      const asked = vector(n)
      const best = all
        .map((row, at) => [row.reduce((sum, value, i) => sum + value * asked[i]!, 0), at] as const)
        .sort(([a], [b]) => b - a)
        .slice(0, 5)
        .map(([, at]) => rows[at]![name === 'emoji' ? 0 : 1]!.split(', '))
      expect(
        best.flat().filter((word) => finds.includes(word)),
        question,
      ).not.toEqual([])
    })
  })

  test('senses have words, a part of speech and a meaning without examples', () => {
    for (const [id, words, part, about] of textsOf('dictionary').rows) {
      expect(id).toMatch(/^[nvar]\d{8}$/)
      expect(words).toMatch(/^[^_]+$/)
      expect(['noun', 'verb', 'adj', 'adv']).toContain(part)
      expect(about, id).toMatch(/^[^"]+$/)
    }
  })

  test('the notices go along', () => {
    expect(notices()).toMatch(/Princeton University/)
    expect(notices().match(/MIT License/g)?.length).toBeGreaterThanOrEqual(2)
  })
})
