// Compares two folders of the form that make.mjs makes.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DIMENSION } from '../rows.mjs'
import { valuesOf } from '../halves.mjs'
import { typed } from '../typed.mjs'

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0)
const cosine = (a, b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))

/** Returns the least and the middle cosine of the vectors that both files have. */
function agreement(read, dirs) {
  const [one, other] = dirs.map(read)
  const count = Math.min(one.length, other.length) / DIMENSION
  const row = (all, i) => all.subarray(i * DIMENSION, (i + 1) * DIMENSION)
  const cosines = Array.from({ length: count }, (_, i) => cosine(row(one, i), row(other, i))).sort((a, b) => a - b)
  return `${count} vectors, cosine at least ${cosines[0].toFixed(4)}, median ${cosines[count >> 1].toFixed(5)}`
}

/** Returns a text that says how many records differ and how near the vectors are to each other. */
export function compare(...dirs) {
  const [one, other] = dirs.map((dir) => readFileSync(join(dir, 'records.jsonl'), 'utf8').trim().split('\n'))
  const same = (a, b) => JSON.stringify(JSON.parse(a)) === JSON.stringify(JSON.parse(b))
  const count = Math.min(one.length, other.length)
  const different = one.slice(0, count).filter((line, i) => !same(line, other[i])).length
  return [
    `records: ${different} of ${count} differ`,
    `rows: ${agreement((dir) => valuesOf(typed(Uint16Array, readFileSync(join(dir, 'vectors.f16')))), dirs)}`,
    `questions: ${agreement((dir) => typed(Float32Array, readFileSync(join(dir, 'queries.f32'))), dirs)}`,
    `more questions: ${agreement((dir) => typed(Float32Array, readFileSync(join(dir, 'more-queries.f32'))), dirs)}`,
  ].join('\n')
}
