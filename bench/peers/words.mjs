// Other packages that search for words. Each gets the same texts. Each search asks for the best ten records that have
// any word of the question.

async function minisearch(records) {
  const { default: MiniSearch } = await import('minisearch')
  const index = new MiniSearch({ fields: ['words', 'gloss'] })
  index.addAll(records)
  return (text) => index.search(text).slice(0, 10)
}

async function flexsearch(records) {
  const { Document } = await import('flexsearch')
  const index = new Document({ document: { id: 'id', index: ['words', 'gloss'] } })
  for (const record of records) index.add(record)
  return (text) => index.search(text, { limit: 10, suggest: true })
}

async function orama(records) {
  const { create, insertMultiple, search } = await import('@orama/orama')
  const db = create({ schema: { id: 'string', words: 'string', gloss: 'string' } })
  await insertMultiple(db, records, 5000)
  return (term) => search(db, { term, limit: 10, properties: ['words', 'gloss'] })
}

async function sqlite(records) {
  const { default: init } = await import('@sqlite.org/sqlite-wasm')
  const { oo1 } = await init({ print() {}, printErr() {} })
  const db = new oo1.DB(':memory:', 'c')
  db.exec('CREATE VIRTUAL TABLE senses USING fts5(id UNINDEXED, words, gloss)')
  db.transaction(() => {
    const insert = db.prepare('INSERT INTO senses VALUES (?, ?, ?)')
    for (const { id, words, gloss } of records) insert.bind([id, words, gloss]).stepReset()
    insert.finalize()
  })
  const select = db.prepare('SELECT id FROM senses WHERE senses MATCH ? ORDER BY rank LIMIT 10')
  return (text) => {
    const words = text.match(/[\p{L}\p{N}]+/gu) ?? []
    select.bind([words.map((word) => `"${word}"`).join(' OR ')])
    const ids = []
    while (select.step()) ids.push(select.get(0))
    select.reset()
    return ids
  }
}

/** By name, a function that makes an index of records and returns a function that searches it. */
export const wordPeers = {
  MiniSearch: minisearch,
  FlexSearch: flexsearch,
  Orama: orama,
  'SQLite FTS5 (wasm)': sqlite,
}
