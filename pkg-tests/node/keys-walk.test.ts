import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { durableObject } from 'nidus-wasm/durable-object'
import { NidusVectorStore } from 'nidus-wasm/langchain'
import { liveSearch } from 'nidus-wasm/live'
import { Segment, init } from 'nidus-wasm/segment'
import { TextIndex } from 'nidus-wasm/text'
import { transformers } from 'nidus-wasm/text/transformers'
import { temporaryFolder } from '../common/folder'
import {
  callsOfLangChain,
  callsOfLive,
  callsOfNidus,
  callsOfSegment,
  callsOfSharded,
  callsOfTextIndex,
  callsOfTransformers,
  walkKeys,
  walkValues,
  type Calls,
} from '../common/keys'
import { publicTypes } from '../common/public-types.mjs'

const parent = temporaryFolder('keys')
const { taken: all, methods } = publicTypes()
// Hooks need a page: `browser/keys.test.ts` calls them.
const taken = all.filter(({ place }) => !place.startsWith('use'))
let db: Nidus
let calls: Calls
let ShardedNidus: typeof import('../../src/ts/types/sharded').ShardedNidus
let reached = 0
const namespace = { idFromName: () => 0, get: () => void reached++ }

beforeAll(async () => {
  await init()
  // This build is for workerd. Node lacks the base class of its objects, so an empty class takes its place.
  const sharded = join(parent, 'sharded.mjs')
  writeFileSync(join(parent, 'cloudflare.mjs'), 'export class DurableObject {}')
  await build({
    entryPoints: [fileURLToPath(new URL('../../dist/sharded.js', import.meta.url))],
    bundle: true,
    format: 'esm',
    outfile: sharded,
    loader: { '.wasm': 'empty' },
    alias: { 'cloudflare:workers': join(parent, 'cloudflare.mjs') },
    logLevel: 'error',
  })
  ;({ ShardedNidus } = (await import(pathToFileURL(sharded).href)) as typeof import('../../src/ts/types/sharded'))
  db = await Nidus.open('keys', { storage: 'memory', dimension: 3 })
  await db.upsert('docs', [{ id: 'a', vector: [1, 0, 0] }])
  await db.setText('docs', 'a')
  calls = {
    ...callsOfNidus({ Nidus }, db, {}, () => join(parent, `${Math.random()}`)),
    ...callsOfSegment(Segment),
    ...callsOfSharded(ShardedNidus, namespace),
    ...callsOfLangChain(NidusVectorStore, db),
    ...callsOfLive({ liveSearch }, db),
    ...(await callsOfTextIndex(TextIndex, () => join(parent, `index ${Math.random()}`))),
    ...callsOfTransformers(transformers),
    'durableObject(options)': (o) => durableObject({ transactionSync() {}, async sync() {} } as never, o),
  }
})
afterAll(() => db?.close())

it('walks every object that the types of public methods name', () => {
  expect(Object.keys(calls).sort()).toEqual(taken.map(({ place }) => place).sort())
})

it('has types for every public method', () => {
  const own = (of: object) =>
    Object.getOwnPropertyNames(of).filter((name) => !['length', 'name', 'prototype', 'constructor'].includes(name))
  const getters = ['rowCount', 'db']
  for (const [name, of] of Object.entries({ Nidus, Segment, ShardedNidus, NidusVectorStore, TextIndex })) {
    const inherited = name === 'NidusVectorStore' ? ['asRetriever'] : []
    expect(
      [...new Set([...own(of), ...own(of.prototype as object)])].filter((each) => !getters.includes(each)).sort(),
      name,
    ).toEqual([...new Set([...methods[name]!, ...inherited])].sort())
  }
})

it('refuses a misspelt key in each, and suggests the right key', async () => {
  const tried = await walkKeys(taken, calls)
  console.log(`${tried} objects with a misspelt key were refused, in ${taken.length} places`)
  expect([await db.count(), reached]).toEqual([1, 0])
})

it('refuses a value of a wrong type in each', async () => {
  const tried = await walkValues(taken, calls)
  console.log(`${tried} values of a wrong type were refused, in ${taken.length} places`)
  expect([await db.count(), reached]).toEqual([1, 0])
})
