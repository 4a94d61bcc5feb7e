// The indexes of the docs' own search: stores of nidus-wasm that are served as plain files.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { at, sha, writeFile } from '../../scripts/lib.mjs'
import { ensureModel } from '../scripts/model.mjs'
import { DIMENSION, openModel } from '../sets/model.mjs'
import { sections } from './sections.mjs'

const BATCH = 16
/** How many characters of a section the model reads. Most sections are shorter. */
const READ = 500

const FIELDS = { title: { weight: 4 }, titles: { weight: 1 }, text: { weight: 2 } }

/**
 * Fills a store with the sections. `vectors` has those of the sections for users, in their order. Without it the store
 * is for words alone: each record of a store has a vector, so theirs has one number, and no question has one.
 */
export async function fill(db, found, vectors) {
  await db.createCollection('sections', { text: FIELDS })
  const { dimension } = db
  let n = 0
  const vectorOf = ({ kind }) => {
    if (!vectors) return [1]
    return kind === 'docs' ? vectors.subarray(n * dimension, ++n * dimension) : new Float32Array(dimension)
  }
  const records = found.map(({ id, ...attrs }) => ({ id, vector: vectorOf(attrs), attrs }))
  await db.upsert('sections', records)
}

/**
 * Returns the vectors of the sections for users, or undefined if there is no copy of the language model. They are kept
 * for the next build of the same texts.
 */
export async function vectorsOf(found) {
  if (!(await ensureModel())) return undefined
  const texts = found
    .filter(({ kind }) => kind === 'docs')
    .map(({ title, titles, text }) => `${[...titles, title].join(', ')}. ${text}`.slice(0, READ))
  const kept = at('target/docs-vectors', sha(JSON.stringify(texts)))
  if (existsSync(kept)) return new Float32Array(new Uint8Array(readFileSync(kept)).buffer)
  const embed = await openModel()
  const vectors = new Float32Array(texts.length * DIMENSION)
  // Texts of similar length go together, because a batch is padded to its longest text.
  const order = [...texts.keys()].sort((a, b) => texts[a].length - texts[b].length)
  for (let from = 0; from < order.length; from += BATCH) {
    const some = order.slice(from, from + BATCH)
    const made = await embed(some.map((n) => texts[n]))
    some.forEach((n, i) => vectors.set(made.subarray(i * DIMENSION, (i + 1) * DIMENSION), n * DIMENSION))
  }
  writeFile(kept, new Uint8Array(vectors.buffer))
  return vectors
}

/**
 * Writes two indexes of the built docs into their folder: one for words, and one for words and meaning, which is larger
 * and only fetched with the language model. The folder of an index is named by its content, because an open page must
 * never get files of two versions. `search.json` names both.
 */
export async function writeIndex(folder) {
  const found = sections(folder)
  const vectors = await vectorsOf(found)
  const names = {
    words: await writeOne(folder, found, undefined),
    ...(vectors && { meaning: await writeOne(folder, found, vectors) }),
  }
  writeFileSync(join(folder, 'search.json'), JSON.stringify(names))
}

/** Writes an index, and returns the name of its folder. */
async function writeOne(folder, found, vectors) {
  const { Nidus } = await import('../../dist/node.js')
  const draft = mkdtempSync(join(folder, 'search-'))
  const db = await Nidus.open(join(draft, 'store'), { dimension: vectors ? DIMENSION : 1 })
  await fill(db, found, vectors)
  await db.close()
  const files = ['data', 'log'].map((name) => join(draft, 'store', name))
  const name = `search-${sha(...files.map((path) => readFileSync(path))).slice(0, 12)}`
  rmSync(join(folder, name), { recursive: true, force: true })
  mkdirSync(join(folder, name))
  for (const path of files) renameSync(path, join(folder, name, path.endsWith('data') ? 'data' : 'log'))
  rmSync(draft, { recursive: true })
  return name
}
