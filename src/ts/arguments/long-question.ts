import type { NidusError } from '../errors/errors.js'

/** The core's message for a question with too many words (`question.rs`). */
const TOO_MANY = /text of a question has more than \d+ different words/

/**
 * Runs a search for a text. If the text has more words than a question may have, searches for as much of its beginning
 * as it may. For callers whose questions are whole paragraphs, which the vector reads to their end.
 */
export async function searchFirstWords<T>(text: string, search: (text: string) => Promise<T>): Promise<T> {
  try {
    return await search(text)
  } catch (error) {
    if ((error as NidusError).code !== 'INVALID_ARGUMENT' || !TOO_MANY.test((error as Error).message)) throw error
    const half = text.slice(0, text.length / 2)
    return searchFirstWords(half.slice(0, half.search(/\S*$/) || half.length), search)
  }
}
