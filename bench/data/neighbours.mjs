// Finds the nearest neighbours of real rows, from which mix.mjs makes more rows. This package finds them: it is exact,
// and a scan would take an hour. A process of its own does it, so that no memory of the run is used.
//   node bench/data/neighbours.mjs ROWS.f32 DIMENSION PARENTS OUT.u32
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isMain, run, step, writeFile } from '../../scripts/lib.mjs'
import { allCoded } from '../inside/settle.mjs'
import { NEIGHBOURS } from './mix.mjs'
import { typed } from './typed.mjs'

const TOGETHER = 32
const BATCH = 2000

async function find(rows, dimension, parents) {
  const { Nidus } = await import('../../dist/node.js')
  const count = rows.length / dimension
  const part = (from, to) => rows.subarray(from * dimension, to * dimension)
  const db = await Nidus.open('neighbours', { storage: 'memory', dimension })
  for (let from = 0; from < count; from += BATCH) {
    const to = Math.min(count, from + BATCH)
    await db.upsert('rows', {
      ids: Array.from({ length: to - from }, (_, i) => `${from + i}`),
      vectors: part(from, to),
    })
  }
  await allCoded(async () => (await db.footprint()).codedRows, count)
  const out = new Uint32Array(parents * NEIGHBOURS)
  for (let from = 0; from < parents; from += TOGETHER) {
    const queries = Array.from({ length: Math.min(TOGETHER, parents - from) }, (_, i) => part(from + i, from + i + 1))
    const found = await db.searchMany(queries, { topK: NEIGHBOURS + 1 })
    found.forEach((hits, i) => {
      const others = hits.map(({ id }) => Number(id)).filter((row) => row !== from + i)
      out.set(others.slice(0, NEIGHBOURS), (from + i) * NEIGHBOURS)
    })
  }
  await db.close()
  return out
}

/** Writes the neighbours of the first rows to `path`, if it has not those of the same rows yet. Returns them. */
export async function neighboursOf({ rows, dimension, parents, path }) {
  const digest = createHash('sha256').update(readFileSync(rows)).digest('hex')
  const stamp = `${path}.json`
  const wanted = JSON.stringify({ digest, parents, NEIGHBOURS })
  if (!existsSync(path) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    const args = [fileURLToPath(import.meta.url), rows, dimension, parents, path]
    await step(`neighbours of ${parents} real rows`, () => run(process.execPath, args.map(String)))
    writeFile(stamp, wanted)
  }
  return typed(Uint32Array, readFileSync(path))
}

if (isMain(import.meta.url)) {
  const [rows, dimension, parents, out] = process.argv.slice(2)
  const found = await find(typed(Float32Array, readFileSync(rows)), Number(dimension), Number(parents))
  writeFile(out, Buffer.from(found.buffer))
}
