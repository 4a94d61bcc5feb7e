// The inputs of a run, as files under target/bench that all peers read.
import { readFileSync } from 'node:fs'
import { at, Trouble, writeFile } from '../../scripts/lib.mjs'
import { parentsFor } from './mix.mjs'
import { neighboursOf } from './neighbours.mjs'
import { readReal } from './real.mjs'
import { DIMENSION, generate } from './rows.mjs'
import { typed } from './typed.mjs'

export const scratch = (...parts) => at('target/bench', ...parts)
const QUERIES = 60

const bytesOf = (numbers) => Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength)
export const floatsOf = (path) => typed(Float32Array, readFileSync(path))

/**
 * Writes the arrays of an input to files: its rows (`file`), its queries, and others by name. Returns the input with
 * `paths`, for Node and native nidus, and with `urls`, for pages. `files` maps these URLs to paths, for the server.
 */
function written(input, arrays) {
  const urls = Object.fromEntries(
    Object.keys(arrays).map((name) => [name, name === 'file' ? `${input.name}.f32` : `${input.name}-${name}.f32`]),
  )
  const paths = Object.fromEntries(Object.entries(urls).map(([name, url]) => [name, scratch(url)]))
  for (const [name, numbers] of Object.entries(arrays)) writeFile(paths[name], bytesOf(numbers))
  return { ...input, paths, urls, files: Object.entries(urls).map(([name, url]) => [url, paths[name]]) }
}

const TITLES = {
  uniform: 'uniform random rows (the worst case)',
  clustered: '256 clusters; the noise is 0.7 times as long as a centre',
}

export function synthetic(kind, rows, name = kind) {
  const vectors = generate(kind, DIMENSION, 0, rows)
  const queries = generate(kind, DIMENSION, 0, QUERIES, 2).slice()
  const common = { name, title: TITLES[kind], kind, dimension: DIMENSION, vectors, queries }
  return written(common, { file: vectors, queries })
}

/** Returns `many` of the vectors of a list, with equal steps between them. */
function spread(list, dimension, many) {
  const count = list.length / dimension
  const some = Math.min(many, count)
  const one = (i) => list.subarray(i * dimension, (i + 1) * dimension)
  const out = new Float32Array(some * dimension)
  for (let i = 0; i < some; i++) out.set(one(Math.floor((i * count) / some)), i * dimension)
  return out
}

/**
 * Reads a folder with real rows. `count` is their number. `queries` are some of the questions. `asked` are all, and
 * after them come WARM_UP further ones, which are rows. If more than `count` rows are asked for, `mix` and `file` say
 * how to make them.
 */
export const WARM_UP = 60
export async function real(dir, given, most) {
  const { name, dimension, vectors, questions, texts } = readReal(dir, given)
  const count = vectors.length / dimension
  if (most && most <= count) throw new Trouble(`--million-rows: more than the ${count} real rows are needed`)
  const common = { name, title: `${count.toLocaleString('en')} real rows, ${name}`, kind: 'real', count, texts }
  const queries = spread(questions, dimension, QUERIES)
  const asked = new Float32Array(questions.length + WARM_UP * dimension)
  asked.set(questions)
  asked.set(spread(vectors, dimension, WARM_UP), questions.length)
  const input = { ...common, dimension, vectors, queries, questions }
  const made = written(input, { file: vectors, queries, asked })
  const parents = parentsFor(most, count)
  if (parents === 0) return made
  const path = scratch(`${name}-neighbours.u32`)
  const neighbours = await neighboursOf({ rows: made.paths.file, dimension, count, parents, path })
  const url = `${name}-neighbours.u32`
  return {
    ...made,
    neighbours,
    paths: { ...made.paths, mix: path },
    urls: { ...made.urls, mix: url },
    files: [...made.files, [url, path]],
  }
}

/** Returns how many rows of an input a case measures that would like to have `rows`. Real rows may be fewer. */
export const atMost = ({ count = Infinity }, rows) => Math.min(count, rows)
/** Returns the sizes that a case measures with an input. */
export const sizesOf = (input, sizes) => [...new Set(sizes.map((rows) => atMost(input, rows)))]

/**
 * Returns what a peer has to know of an input to read its first `rows` rows. Pages read by URL. `queries` names the
 * file of the questions.
 */
export function specOf(input, rows, inPage, queries = 'queries') {
  const { name, kind, dimension } = input
  const files = inPage ? input.urls : input.paths
  const mix = rows > (input.count ?? Infinity) ? files.mix : undefined
  return { name, kind, rows, dimension, file: files.file, mix, queries: files[queries] }
}
