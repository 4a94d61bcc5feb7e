// Measures durable inserts and openings of this package, and the time that the storage itself needs for the same bytes.
// For inserts, these bytes are written directly to two files, with two flushes for each batch. For openings, both files
// are read, once into a buffer that is used again and again, once into new memory.
import { median } from '../data/statistics.mjs'
import { settle } from './settle.mjs'

const BATCH = 1000
export const PIECE = 4 << 20
export const STRAIGHT = ['straight-data', 'straight-log']

/**
 * Measures `runs` times. The store and the direct writes take turns batch by batch, so that other work of the machine
 * slows both equally. `medium` has what differs by runtime: storage, name, options, written() (the bytes so far, or
 * undefined), create(file) (a handle with write, flush and close), reopen(file) (a handle with size, read and close),
 * and clean().
 */
export async function compare({ Nidus, medium, input, query, runs }) {
  const options = { dimension: input.dimension, storage: medium.storage, ...medium.options }
  const seen = { insert: [], straight: [], open: [], read: [], readFresh: [], first: [], written: [] }
  let last
  const batches = []
  for (let run = 0; run < runs; run++) {
    await Nidus.destroy(medium.name, { storage: medium.storage })
    const db = await Nidus.open(medium.name, options)
    const [data, log] = await Promise.all(STRAIGHT.map((file) => medium.create(file)))
    const sums = { insert: 0, straight: 0, written: 0 }
    let disk = await sizes(db)
    for (let from = 0; from < input.rows; from += BATCH) {
      const batch = input.records(from, Math.min(input.rows, from + BATCH))
      const before = await medium.written()
      const began = performance.now()
      await db.upsert('rows', batch)
      const ms = performance.now() - began
      sums.insert += ms
      sums.written += (await medium.written()) - before
      if (run === 0) batches.push([from + batch.ids.length, ms])
      const now = await sizes(db)
      sums.straight += straight(data, log, batch.vectors, disk, now)
      disk = now
    }
    data.close()
    log.close()
    for (const [name, sum] of Object.entries(sums)) seen[name].push(sum)
    await db.close()

    const opening = performance.now()
    const again = await Nidus.open(medium.name, options)
    seen.open.push(performance.now() - opening)
    // Searches until they get no faster. The time of the first search is a figure of its own.
    last = { ...(await settle(() => again.search(query(0), { topK: 10 }))), disk: disk.rows + disk.rest }
    seen.first.push(last.first)
    await again.close()
    seen.read.push(await readBoth(medium))
    seen.readFresh.push(await readBothFresh(medium))
  }
  await Nidus.destroy(medium.name, { storage: medium.storage })
  await medium.clean()
  const medians = Object.fromEntries(Object.entries(seen).map(([name, times]) => [name, median(times)]))
  return { ...medians, settled: last.ms, settledP50: last.p50, disk: last.disk, runs: seen, batches }
}

export async function sizes(db) {
  const { diskBytes, vectorBytes } = await db.footprint()
  return { rows: vectorBytes, rest: diskBytes - vectorBytes }
}

/**
 * Writes the bytes of a batch directly, and flushes. One file gets the rows. The other one gets as many bytes as the
 * rest of the store grew by. Returns the time in milliseconds.
 */
function straight(data, log, vectors, before, after) {
  const bytes = new Uint8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength)
  const rest = new Uint8Array(after.rest - before.rest).fill(7)
  const began = performance.now()
  data.write(bytes, before.rows)
  log.write(rest, before.rest)
  data.flush()
  log.flush()
  return performance.now() - began
}

/**
 * Returns the time to read both files that were written directly. They are as long as those of the store, and as much
 * of them is in the system's cache.
 */
async function readBoth(medium) {
  const buffer = new Uint8Array(PIECE)
  const began = performance.now()
  for (const file of STRAIGHT) {
    const opened = await medium.reopen(file)
    for (let at = 0, got; (got = opened.read(buffer, at)) > 0; at += got);
    opened.close()
  }
  return performance.now() - began
}

/**
 * Reads the same files into new memory, as a program that keeps the rows must. (The buffer of `readBoth` always stays
 * in the processor's caches.)
 */
export async function readBothFresh(medium) {
  const began = performance.now()
  for (const file of STRAIGHT) {
    const opened = await medium.reopen(file)
    const all = new Uint8Array(opened.size())
    for (let at = 0, got; (got = opened.read(all.subarray(at, at + PIECE), at)) > 0; at += got);
    opened.close()
  }
  return performance.now() - began
}
