// Reads a folder with real rows and questions. It has one of two forms:
//   vectors.f16, queries.f32, questions.json, more-queries.f32 and more-questions.json (as wordnet/make.mjs makes it),
//   vectors.f32 and queries.f32.
// ground-truth.json ([{ top: [rows, best first] }], one for each query of queries.f32) is compared if it is there. In
// the second form it is needed.
import { existsSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { Trouble } from '../../scripts/lib.mjs'
import { valuesOf } from './halves.mjs'
import { DIMENSION, normalize, shuffledOrder } from './rows.mjs'
import { NEAR, truth } from './truth.mjs'
import { typed } from './typed.mjs'

function unit(rows, dimension) {
  for (let at = 0; at < rows.length; at += dimension) normalize(rows, at, at + dimension)
  return rows
}

/**
 * Returns the rows in another order, which is always the same for a number of rows. So the first rows are a sample of
 * all: in the files, rows of one kind may stand together.
 */
function shuffled(rows, dimension) {
  const count = rows.length / dimension
  const order = shuffledOrder(count, count)
  const out = new Float32Array(rows.length)
  order.forEach((from, to) => out.set(rows.subarray(from * dimension, (from + 1) * dimension), to * dimension))
  return out
}

/** Compares the answers of ground-truth.json with those that are computed here. */
function compareTruth(given, rows, dimension, queries) {
  const count = queries.length / dimension
  if (given.length !== count) throw new Trouble('--data: queries.f32 and ground-truth.json differ in their number')
  const best = truth({ parts: () => [{ rows, base: 0 }], dimension, queries })
  best.forEach((top, which) => {
    const theirs = given[which].top.slice(0, top.length)
    // Rows of nearly equal scores may come in either order.
    const off = top.filter(({ row, score }) => !theirs.includes(row) && score > top.at(-1).score + NEAR)
    if (off.length) throw new Trouble(`--data: ground-truth.json has a wrong answer to query ${which}`)
  })
}

/**
 * Returns { name, dimension, vectors, questions, texts }. The vectors have the length 1. `texts` are those of the
 * questions, if they are known.
 */
export function readReal(dir, name = basename(resolve(dir)).replace(/[^\w-]/g, '-')) {
  const path = (file) => join(resolve(dir), file)
  const has = (file) => existsSync(path(file))
  const bytes = (file) => {
    if (!has(file)) throw new Trouble(`--data: ${dir} has no ${file} (bench/README.md lists the files that it needs)`)
    return readFileSync(path(file))
  }
  const json = (file) => JSON.parse(bytes(file).toString())
  const small = has('vectors.f16')
  const rows = small ? valuesOf(typed(Uint16Array, bytes('vectors.f16'))) : typed(Float32Array, bytes('vectors.f32'))
  const first = typed(Float32Array, bytes('queries.f32'))
  const given = !small || has('ground-truth.json') ? json('ground-truth.json') : undefined
  const listed = small ? json('questions.json') : given
  const dimension = first.length / listed.length
  if (!Number.isInteger(dimension) || rows.length % dimension !== 0)
    throw new Trouble(`--data: the numbers of vectors in ${dir} do not fit those of its questions`)
  if (dimension !== DIMENSION)
    throw new Trouble(`--data: vectors have ${dimension} numbers; the benchmarks need ${DIMENSION}`)
  unit(rows, dimension)
  if (given) compareTruth(given, rows, dimension, unit(first.slice(), dimension))
  const more = has('more-queries.f32')
  const questions = Float32Array.from([...first, ...(more ? typed(Float32Array, bytes('more-queries.f32')) : [])])
  const texts = small && [...listed, ...(more ? json('more-questions.json') : [])].map(({ question }) => question)
  return {
    name,
    dimension,
    vectors: shuffled(rows, dimension),
    questions: unit(questions, dimension),
    texts: texts || undefined,
  }
}
