import { NidusError } from '../errors/errors.js'
import type { OpenOptions, RecordInput, VectorRecord } from '../types/index.js'
import type { Embedder } from '../types/text-index.js'
import { batchSize, embedPassageTexts } from './embedder.js'
import { BATCHES, withVector } from './embedding.js'
import { PassageStore, type NidusClass } from './passage-store.js'
import { COLLECTION, embeddedText, type PassageAttrs } from './records.js'

/** The number of records that are compared at once. */
const PAGE = 256

/** The store in which the vectors of another model are made. It takes the place of the first one when it is whole. */
const nextName = (name: string) => `${name}.next`

/**
 * Opens the store in which new vectors are made. What an earlier call with the same model made is kept, and what one
 * with another model made is removed.
 */
export async function openNext(
  Class: NidusClass,
  name: string,
  options: OpenOptions,
  embedder: Embedder,
  chunker: string,
): Promise<PassageStore> {
  const made = { dimension: embedder.dimension, model: embedder.model, chunker, nextOf: name }
  const open = () => PassageStore.open(Class, nextName(name), options, made)
  const next = await open()
  const { model } = next.remembered
  if (model === made.model && next.db.dimension === made.dimension) return next
  await next.db.close()
  await destroyNext(Class, name, options)
  return open()
}

const destroyNext = (Class: NidusClass, name: string, { storage }: OpenOptions) =>
  Class.destroy(nextName(name), { storage })

const hashOf = ({ attrs }: VectorRecord) => (attrs as PassageAttrs)._hash

/** Returns whether two records have the same attributes, leaving aside whether they wait for a vector. */
const same = (a: VectorRecord, b: VectorRecord | undefined) =>
  b !== undefined &&
  JSON.stringify(withVector(a.attrs as PassageAttrs), plain) ===
    JSON.stringify(withVector(b.attrs as PassageAttrs), plain)
const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)

/**
 * Makes `next` have all passages of `from`, with vectors of its own model. Without an embedder they all wait for their
 * vectors. Returns how many had to be made. `pace` is called before each batch, and may throw or wait.
 */
export async function copyPassages(
  from: PassageStore,
  next: PassageStore,
  embedder: Embedder | undefined,
  pace: (embedded: number) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<number> {
  let embedded = 0
  const atOnce = embedder ? BATCHES * batchSize(embedder) : PAGE
  const flush = async (records: VectorRecord[]) => {
    const there = (await next.get(records.map(({ id }) => id))) as (VectorRecord | undefined)[]
    const missing = records.filter((record, i) => !there[i] || hashOf(there[i]) !== hashOf(record))
    const changed = records.flatMap((record, i) =>
      there[i] && hashOf(there[i]) === hashOf(record) && !same(record, there[i])
        ? [
            {
              id: record.id,
              vector: there[i].vector,
              attrs: attrsFor(record, (there[i].attrs as PassageAttrs)._pending),
            },
          ]
        : [],
    )
    for (let at = 0; at < missing.length; at += atOnce) {
      await pace(embedded)
      const part = missing.slice(at, at + atOnce)
      await next.db.upsert(COLLECTION, await withVectors(part, next.db.dimension, embedder, signal))
      if (embedder) embedded += part.length
    }
    if (changed.length > 0) await next.db.upsert(COLLECTION, changed)
  }
  const page: VectorRecord[] = []
  for await (const record of from.db.records(COLLECTION)) {
    page.push(record)
    if (page.length === PAGE) await flush(page.splice(0))
  }
  await flush(page)
  await removeOthers(from, next)
  return embedded
}

const attrsFor = ({ attrs }: VectorRecord, waits: boolean | undefined) => ({
  ...withVector(attrs as PassageAttrs),
  ...(waits && { _pending: true as const }),
})

async function withVectors(
  records: VectorRecord[],
  dimension: number,
  embedder: Embedder | undefined,
  signal: AbortSignal | undefined,
): Promise<RecordInput[]> {
  const texts = records.map(({ attrs }) => embeddedText(attrs as PassageAttrs))
  const vectors = embedder && (await embedPassageTexts(embedder, texts, signal))
  return records.map((record, i) => ({
    id: record.id,
    vector: vectors?.[i] ?? new Float32Array(dimension),
    attrs: attrsFor(record, !vectors && texts[i] !== ''),
  }))
}

/** Removes the passages that `from` does not have. */
async function removeOthers(from: PassageStore, next: PassageStore) {
  if ((await next.db.count(COLLECTION)) === (await from.db.count(COLLECTION))) return
  const ids = (await next.db.list(COLLECTION, { attrs: false })).map(({ id }) => id)
  for (let at = 0; at < ids.length; at += PAGE) {
    const part = ids.slice(at, at + PAGE)
    const there = await from.get(part)
    const gone = part.filter((_, i) => !there[i])
    if (gone.length > 0) await next.db.delete(COLLECTION, gone)
  }
}

/**
 * Puts `next` in the place of the store, in one step, and opens it. The old store must be closed. If another tab or
 * process has it open, `next` stays as it is, and this throws LOCKED.
 */
export async function takePlace(
  Class: NidusClass,
  name: string,
  options: OpenOptions,
  next: PassageStore,
): Promise<void> {
  try {
    const db = await Class.import(name, next.db.export(), { ...options, replace: true })
    await db.close()
  } catch (error) {
    await next.db.close()
    if ((error as NidusError).code !== 'LOCKED') throw error
    throw new NidusError(
      'LOCKED',
      `the index "${name}" is open in another tab or process, so the new vectors cannot take its place yet. They are ` +
        'kept: close it there, and call `reembed` again',
      { cause: error },
    )
  }
  await next.db.close()
  await destroyNext(Class, name, options)
}
