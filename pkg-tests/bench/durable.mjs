// Durable insert and open of ours, each beside what the medium itself takes for the same bytes: two files written straight, two flushes a batch; two files read.
import { median } from './measure.mjs'
import { settle } from './engine.mjs'

const BATCH = 1000
export const PIECE = 4 << 20

/**
 * `medium`: { storage, name, written(): bytes so far (or undefined), open(file): a handle with write(bytes, at), flush(), close(); read(file): reads all of it, options, remove(file) }.
 * The two take turns, so that both meet the same noise.
 */
export async function compare({ Nidus, medium, input, query, runs }) {
  const options = { dimension: input.dimension, storage: medium.storage, ...medium.options }
  const seen = { insert: [], straight: [], open: [], read: [], first: [], written: [] }
  let last
  const batches = []
  for (let run = 0; run < runs; run++) {
    await Nidus.destroy(medium.name, { storage: medium.storage })
    const db = await Nidus.open(medium.name, options)
    const before = await medium.written?.()
    let taken = 0
    for (let from = 0; from < input.rows; from += BATCH) {
      const batch = input.records(from, Math.min(input.rows, from + BATCH))
      const began = performance.now()
      await db.upsert('rows', batch)
      const ms = performance.now() - began
      taken += ms
      if (run === 0) batches.push([from + batch.ids.length, ms])
    }
    seen.insert.push(taken)
    if (medium.written) seen.written.push((await medium.written()) - before)
    const { diskBytes, vectorBytes } = await db.footprint()
    await db.close()
    seen.straight.push(await straight(medium, input, diskBytes - vectorBytes))

    const opening = performance.now()
    const again = await Nidus.open(medium.name, options)
    seen.open.push(performance.now() - opening)
    // The first search, and those after it until nothing gets faster any more.
    last = { ...(await settle(() => again.search(query(0), { topK: 10 }))), disk: diskBytes, vectors: vectorBytes }
    seen.first.push(last.first)
    await again.close()
    seen.read.push(await medium.read(input.rows * input.dimension * 4 + 64, diskBytes - vectorBytes))
  }
  await Nidus.destroy(medium.name, { storage: medium.storage })
  await medium.clean()
  const medians = Object.fromEntries(Object.entries(seen).map(([name, times]) => [name, times.length ? median(times) : undefined]))
  return { ...medians, settled: last.ms, settledP50: last.p50, disk: last.disk, vectors: last.vectors, runs: seen, batches }
}

/** The rows of a batch to one file, its share of the log to another, a flush of each. */
async function straight(medium, input, logBytes) {
  const batches = Math.ceil(input.rows / BATCH)
  const share = new Uint8Array(Math.ceil(logBytes / batches)).fill(7)
  const [data, log] = [await medium.create('straight-data'), await medium.create('straight-log')]
  let taken = 0
  for (let batch = 0; batch < batches; batch++) {
    const rows = input.vectors.subarray(batch * BATCH * input.dimension, Math.min(input.rows, (batch + 1) * BATCH) * input.dimension)
    const bytes = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength)
    const began = performance.now()
    data.write(bytes, batch * BATCH * input.dimension * 4)
    log.write(share, batch * share.length)
    data.flush()
    log.flush()
    taken += performance.now() - began
  }
  data.close()
  log.close()
  return taken
}
