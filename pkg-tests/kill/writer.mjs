// The writer that is killed. It opens the store and reports everything in it. Then it writes until it is killed, and
// reports each operation that was acknowledged. Runs in pages, Node, Deno and Bun.
import { DIMENSION, WORDS, attrsOf, operation, random, vectorOf } from './plan.mjs'

const QUERIES = 3
export const queryOf = (seed, from, n) => vectorOf(seed, 0x7fff0000 + from, n)

/** Returns for each word the ids of the records that a search for it finds. */
async function words(db, collection) {
  const found = {}
  for (const text of WORDS)
    found[text] = (await db.search({ text }, { collections: collection, topK: 1000, attrs: false })).map(({ id }) => id)
  return found
}

/** Returns the content of the store, as JSON can have it. */
async function tell(db, seed, from, sabotage) {
  const collections = {}
  for (const name of await db.collections()) {
    const records = []
    for await (const { id, attrs, vector } of db.records(name)) records.push([id, attrs, [...vector]])
    collections[name] = { meta: await db.getMeta(name), count: await db.count(name), records }
    const settings = await db.getText(name)
    if (settings) Object.assign(collections[name], { weight: settings.text.weight, words: await words(db, name) })
    if (settings && sabotage === 'deaf') Object.values(collections[name].words).find((ids) => ids.pop())
  }
  const found = await db.searchMany(
    Array.from({ length: QUERIES }, (_, n) => queryOf(seed, from, n)),
    { topK: 1000 },
  )
  return {
    collections,
    hits: found.map((hits) => hits.map(({ collection, id, score }) => [collection, id, score])),
    recovery: db.recovery,
  }
}

/**
 * Returns what answers the messages { open }, { go } and { close }. `sabotage` makes it report falsely, to test the
 * checker: `early` acknowledges too early, `lost` acknowledges what was never asked for, `half` leaves a record out,
 * `twice` writes a deleted record again, `deaf` leaves out a record that a search for a word finds.
 */
export function writer({ Nidus, name, options, seed, sabotage, send }) {
  let db
  let stopped = false

  function perform(op) {
    const { kind, collection, ids, meta, weight } = operation(seed, op)
    if (kind === 'compact') {
      // All earlier writes are flushed first, so that only the compaction is under way after this message.
      return db.flush().then(() => (send({ compacting: op }), db.compact()))
    }
    if (kind === 'drop') return db.dropCollection(collection)
    if (kind === 'meta') return db.setMeta(collection, meta)
    if (kind === 'text') return db.setText(collection, { text: { weight } })
    if (kind === 'delete') return sabotage === 'twice' && op % 5 === 0 ? db.count() : db.delete(collection, ids)
    const batch = ids.map((id, n) => ({ id, vector: vectorOf(seed, op, n), attrs: attrsOf(op, n) }))
    if (sabotage === 'half' && op % 10 === 0) batch.pop()
    if (sabotage === 'lost' && op % 10 === 0) return db.count()
    return db.upsert(collection, batch)
  }

  async function work(from) {
    const r = random(seed, from, 3)
    const most = 1 + r.int(12)
    const under = new Set()
    for (let op = from; !stopped; op++) {
      // A compaction is called alone: the writes before it have ended, and later writes wait for it. So its place in
      // the order is known. So is that of new settings of texts, which count once the index is made.
      const alone = ['compact', 'text'].includes(operation(seed, op).kind)
      while (under.size >= (alone ? 1 : most)) await Promise.race(under)
      if (sabotage === 'early') send({ done: op })
      const doing = perform(op).then(
        () => sabotage === 'early' || send({ done: op }),
        (error) => {
          if (!stopped) send({ failed: `operation ${op}: ${error.code} ${error.message}` })
          stopped = true
        },
      )
      const entry = doing.finally(() => under.delete(entry))
      under.add(entry)
      if (alone) await entry
      // Sometimes it pauses, so that later calls are made in another turn and form another group.
      if (r.int(10) === 0) await new Promise((resolve) => setTimeout(resolve, r.int(5)))
    }
    await Promise.all(under)
  }
  let working

  return async function answer(message) {
    try {
      if (message.open !== undefined) {
        db = await Nidus.open(name, { dimension: DIMENSION, ...options })
        send({ found: await tell(db, seed, message.open, sabotage) })
      } else if (message.go !== undefined) working = work(message.go)
      else if (message.close) {
        stopped = true
        await working
        await db?.close()
        send({ closed: true })
      }
    } catch (error) {
      send({ failed: `${Object.keys(message)}: ${error.code} ${error.message} ${error.cause?.message ?? ''}` })
    }
  }
}
