import type { NidusError } from '../errors/errors.js'

/** The most different words of a question (`question.rs`). A text with fewer letters has fewer words. */
const MOST_WORDS = 256

/**
 * Runs a search for a text. If the text has more words than a question may have, searches for as much of its beginning
 * as it may. For callers whose questions are whole paragraphs, which the vector reads to their end.
 */
export async function searchFirstWords<T>(text: string, search: (text: string) => Promise<T>): Promise<T> {
  try {
    return await search(text)
  } catch (error) {
    // Something else may be wrong with the question. That is as wrong with less text, and then it is thrown.
    if ((error as NidusError).code !== 'INVALID_ARGUMENT' || text.length <= MOST_WORDS) throw error
    const half = text.slice(0, text.length / 2)
    return searchFirstWords(half.slice(0, half.search(/\S*$/) || half.length), search)
  }
}
