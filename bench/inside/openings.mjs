// Measures openings of a store at several sizes, beside reading files of the same lengths into new memory.
import { median } from '../data/statistics.mjs'
import { PIECE, readBothFresh, sizes, STRAIGHT } from './durable.mjs'

const BATCH = 1000

/** Writes a file of a given length. */
async function fill(medium, file, length) {
  const opened = await medium.create(file)
  const piece = new Uint8Array(Math.min(PIECE, length)).fill(7)
  for (let at = 0; at < length; at += piece.length) opened.write(piece.subarray(0, length - at), at)
  opened.flush()
  opened.close()
}

/**
 * Lets one store grow. At each mark it is closed and opened `runs` times, in turns with the reads. Returns for each
 * mark the medians in milliseconds and the bytes of its files. `first` is the first search after an opening. `medium`
 * is as in durable.mjs.
 */
export async function openings({ Nidus, medium, input, query, marks, runs }) {
  // The inserts are not measured here, so they need not wait for flushes.
  const options = { dimension: input.dimension, storage: medium.storage, durability: 'relaxed', ...medium.options }
  await Nidus.destroy(medium.name, { storage: medium.storage })
  const points = []
  let rows = 0
  for (const mark of marks) {
    const growing = await Nidus.open(medium.name, options)
    for (; rows < mark; rows = Math.min(mark, rows + BATCH))
      await growing.upsert('rows', input.records(rows, Math.min(mark, rows + BATCH)))
    const disk = await sizes(growing)
    await growing.close()
    await fill(medium, STRAIGHT[0], disk.rows)
    await fill(medium, STRAIGHT[1], disk.rest)
    const seen = { open: [], first: [], read: [] }
    for (let run = 0; run < runs; run++) {
      const began = performance.now()
      const db = await Nidus.open(medium.name, options)
      const opened = performance.now()
      await db.search(query(run), { topK: 10 })
      seen.first.push(performance.now() - opened)
      seen.open.push(opened - began)
      await db.close()
      seen.read.push(await readBothFresh(medium))
    }
    const medians = Object.fromEntries(Object.entries(seen).map(([name, times]) => [name, median(times)]))
    points.push({ rows: mark, ...medians, disk: disk.rows + disk.rest })
  }
  await Nidus.destroy(medium.name, { storage: medium.storage })
  await medium.clean()
  return points
}
