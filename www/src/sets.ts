import { EXAMPLES } from '../sets/examples.mjs'

export type SetName = 'dictionary' | 'emoji' | 'files'

interface SetWords {
  headline: string
  placeholder: string
  /** What one record is called. */
  one: string
  many: string
  /**
   * The least cosine of a hit that is taken seriously. Nonsense reaches about 0.40 in the dictionary, where a right
   * answer to a description has 0.5 and more. Passages of files are longer, and so less alike to a short question.
   */
  floor: number
  examples: string[]
}

const questions = (of: { question: string }[]) => of.map(({ question }) => question)

export const SETS: Record<SetName, SetWords> = {
  dictionary: {
    headline: 'Describe it. Find the word.',
    placeholder: 'Say what the word means',
    one: 'sense',
    many: 'senses',
    floor: 0.42,
    examples: questions(EXAMPLES.dictionary),
  },
  emoji: {
    headline: 'Say it. Find the emoji.',
    placeholder: 'Say how it feels, or what happens',
    one: 'emoji',
    many: 'emoji',
    floor: 0.37,
    examples: questions(EXAMPLES.emoji),
  },
  files: {
    headline: 'Search your files by meaning.',
    placeholder: 'Ask your notes, in your own words',
    one: 'passage',
    many: 'passages',
    floor: 0.15,
    examples: [],
  },
}

const KEY = 'set'

const isSet = (name: unknown): name is SetName => typeof name === 'string' && name in SETS

/** Returns the set in the address, or else that of the last visit. */
export function wantedSet(): SetName {
  const inAddress = new URLSearchParams(location.hash.slice(1)).get('set')
  if (isSet(inAddress)) return inAddress
  try {
    const last = localStorage.getItem(KEY)
    if (isSet(last)) return last
  } catch {
    // A browser that keeps nothing begins with the dictionary each time.
  }
  return 'dictionary'
}

export function rememberSet(name: SetName) {
  try {
    localStorage.setItem(KEY, name)
  } catch {
    // see above
  }
}
