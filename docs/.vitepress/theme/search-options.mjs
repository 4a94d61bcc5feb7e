/** How the docs are asked. `npm run compare:search` asks them in the same way. */
const OPTIONS = { collections: 'sections', prefix: true, fuzzy: 1, forms: 'en', highlight: true, groupBy: 'page' }

/**
 * Asks for words. Returns the best section of each page: first those of the pages for users, then those of the API
 * reference and of the pages about the inside.
 */
export async function ask(db, text, signal) {
  const lists = [
    { kind: 'docs', topK: 6 },
    { kind: 'more', topK: 4 },
  ]
  const hits = await Promise.all(
    lists.map(({ kind, topK }) => db.search({ text }, { ...OPTIONS, filter: { kind }, topK, signal })),
  )
  return hits.flat()
}
