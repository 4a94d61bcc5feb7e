// The index of the docs' own search: a store of nidus-wasm that is served as plain files.
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sha } from '../../scripts/lib.mjs'
import { sections } from './sections.mjs'

const FIELDS = { title: { weight: 4 }, titles: { weight: 1 }, text: { weight: 2 } }

/** Fills a store with the sections. */
export async function fill(db, found) {
  await db.createCollection('sections', { text: FIELDS })
  // Each record of a store has a vector. This index is for words alone, so the vector has one number, and no question
  // has a vector. An index without vectors would take its place here.
  const records = found.map(({ id, ...attrs }) => ({ id, vector: [1], attrs }))
  await db.upsert('sections', records)
}

/**
 * Writes the index of the built docs into their folder. The folder of the index is named by its content, because an
 * open page must never get files of two versions. `search.json` names it.
 */
export async function writeIndex(folder) {
  const { Nidus } = await import('../../dist/node.js')
  const draft = mkdtempSync(join(folder, 'search-'))
  const db = await Nidus.open(join(draft, 'store'), { dimension: 1 })
  await fill(db, sections(folder))
  await db.close()
  const files = ['data', 'log'].map((name) => join(draft, 'store', name))
  const name = `search-${sha(...files.map((path) => readFileSync(path))).slice(0, 12)}`
  rmSync(join(folder, name), { recursive: true, force: true })
  mkdirSync(join(folder, name))
  for (const path of files) renameSync(path, join(folder, name, path.endsWith('data') ? 'data' : 'log'))
  rmSync(draft, { recursive: true })
  writeFileSync(join(folder, 'search.json'), JSON.stringify({ folder: name }))
}
