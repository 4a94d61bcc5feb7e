// The inputs of a run, as files under target/bench that all peers read.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { at, Trouble, writeFile } from '../../scripts/lib.mjs'
import { extend, generate } from './rows.mjs'
import { NEAR, truth } from './truth.mjs'

export const scratch = (...parts) => at('target/bench', ...parts)
export const DIMENSION = 384
const QUERIES = 60

const bytesOf = (floats) => Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength)
export function floatsOf(path) {
  const bytes = readFileSync(path)
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}

/**
 * Writes the rows and the queries of an input to files. Returns the input with `paths`, for Node and native nidus, and
 * with `urls`, for pages. `files` maps these URLs to paths, for the server.
 */
function written(input) {
  const names = { file: `${input.name}.f32`, queries: `${input.name}-queries.f32` }
  const paths = { file: scratch(names.file), queries: scratch(names.queries) }
  writeFile(paths.file, bytesOf(input.vectors))
  writeFile(paths.queries, bytesOf(input.queries))
  return {
    ...input,
    paths,
    urls: names,
    files: [
      [names.file, paths.file],
      [names.queries, paths.queries],
    ],
  }
}

const TITLES = {
  uniform: 'uniform random rows (the worst case)',
  clustered: '256 clusters; the noise is 0.7 times as long as a centre',
}

export function synthetic(kind, rows, name = kind) {
  const common = { name, title: TITLES[kind], kind, dimension: DIMENSION }
  return written({
    ...common,
    vectors: generate(kind, DIMENSION, 0, rows),
    queries: generate(kind, DIMENSION, 0, QUERIES, 2).slice(),
  })
}

/**
 * Reads a directory with vectors.f32, queries.f32 and ground-truth.json ([{ query, top: [rows, best first] }]). The
 * answers in ground-truth.json must agree with those that are computed here.
 */
export function real(dir, rows) {
  const file = (name) => {
    const path = join(resolve(dir), name)
    if (!existsSync(path)) throw new Trouble(`--data: there is no ${name} in it`)
    return path
  }
  const given = JSON.parse(readFileSync(file('ground-truth.json'), 'utf8'))
  const dimension = statSync(file('queries.f32')).size / 4 / given.length
  if (!Number.isInteger(dimension))
    throw new Trouble('--data: queries.f32 and ground-truth.json have different numbers of queries')
  const has = floatsOf(file('vectors.f32'))
  const queries = floatsOf(file('queries.f32'))
  const best = truth({ parts: () => [{ rows: has, base: 0 }], dimension, queries })
  best.forEach((top, which) => {
    const theirs = given[which].top.slice(0, top.length)
    // Rows of nearly equal scores may come in either order.
    const off = top.filter(({ row, score }) => !theirs.includes(row) && score > top.at(-1).score + NEAR)
    if (off.length) throw new Trouble(`--data: ground-truth.json has a wrong answer to query ${which}`)
  })
  const count = has.length / dimension
  const more = rows > count ? `; the rows after the first ${count.toLocaleString('en')} are copies with noise` : ''
  const name = basename(resolve(dir)).replace(/[^\w-]/g, '-')
  return written({
    name,
    title: `real embeddings, ${name}${more}`,
    kind: 'real',
    dimension,
    vectors: rows > count ? extend(has, dimension, rows) : has,
    queries,
  })
}

/** Returns what a peer has to know of an input to read its first `rows` rows. Pages read by URL. */
export const specOf = (input, rows, inPage) => ({
  name: input.name,
  kind: input.kind,
  rows,
  dimension: input.dimension,
  ...(inPage ? input.urls : input.paths),
})
