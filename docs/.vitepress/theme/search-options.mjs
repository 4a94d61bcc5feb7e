/** How the docs are asked. `npm run compare:search` asks them in the same way. */
const OPTIONS = { collections: 'sections', prefix: true, fuzzy: 1, forms: 'en', highlight: true, groupBy: 'page' }

/**
 * Asks for words, or for words and meaning if the question has a vector. Returns the best section of each page: first
 * those of the pages for users, then those of the API reference and of the pages about the inside. Only the first ones
 * are found by meaning.
 */
export async function ask(db, text, vector, signal) {
  const lists = [
    { kind: 'docs', topK: 6, question: vector ? { text, vector } : { text } },
    { kind: 'more', topK: 4, question: { text } },
  ]
  const hits = await Promise.all(
    lists.map(({ kind, topK, question }) => db.search(question, { ...OPTIONS, filter: { kind }, topK, signal })),
  )
  return hits.flat()
}
