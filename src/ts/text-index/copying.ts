import { NidusError } from '../errors/errors.js'
import type { OpenOptions, RecordInput, VectorRecord } from '../types/index.js'
import type { Embedder } from '../types/text-index.js'
import { batchSize, embedPassageTexts } from './embedder.js'
import { BATCHES, withVector } from './embedding.js'
import { PassageStore, type NidusClass } from './passage-store.js'
import { COLLECTION, embeddedText, hasMeaning, type PassageAttrs } from './records.js'
import { Refusals } from './refusals.js'

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

const attrsFor = ({ attrs }: VectorRecord, waits: boolean | undefined) => ({
  ...withVector(attrs as PassageAttrs),
  ...(waits && { _pending: true as const }),
})

/** How the vectors of a copy are made. `onDone` is told how many there are, and may throw. */
export interface Making {
  embedder: Embedder
  signal: AbortSignal
  onDone: (embedded: number) => void
}

/**
 * Makes one store have all passages of another, with vectors of its own model. Without `making` they all wait for their
 * vectors.
 */
export class Copying {
  /** The passages that the embedder refused. They wait for their vectors in the copy. */
  readonly refusals = new Refusals()
  #embedded = 0

  constructor(
    private readonly from: PassageStore,
    private readonly next: PassageStore,
    private readonly making?: Making,
  ) {}

  /** Copies what the other store does not have yet. Returns how many vectors were made. */
  async pass(): Promise<number> {
    const before = this.#embedded
    const page: VectorRecord[] = []
    for await (const record of this.from.db.records(COLLECTION)) {
      page.push(record)
      if (page.length === PAGE) await this.#copy(page.splice(0))
    }
    await this.#copy(page)
    await removeOthers(this.from, this.next)
    return this.#embedded - before
  }

  async #copy(records: VectorRecord[]) {
    const { next, making } = this
    const there = (await next.get(records.map(({ id }) => id))) as (VectorRecord | undefined)[]
    const missing: VectorRecord[] = []
    const changed: RecordInput[] = []
    for (const [i, record] of records.entries()) {
      const copy = there[i]
      const waits = copy && (copy.attrs as PassageAttrs)._pending
      if (!copy || hashOf(copy) !== hashOf(record) || (waits && making && !this.refusals.has(record.id)))
        missing.push(record)
      else if (!same(record, copy)) changed.push({ id: record.id, vector: copy.vector, attrs: attrsFor(record, waits) })
    }
    const atOnce = making ? BATCHES * batchSize(making.embedder) : PAGE
    for (let at = 0; at < missing.length; at += atOnce) {
      if (making?.signal.aborted) throw making.signal.reason
      const part = missing.slice(at, at + atOnce)
      const records = await this.#withVectors(part)
      await next.writing((db) => db.upsert(COLLECTION, records))
      making?.onDone(this.#embedded)
    }
    if (changed.length > 0) await next.writing((db) => db.upsert(COLLECTION, changed))
  }

  async #withVectors(records: VectorRecord[]): Promise<RecordInput[]> {
    const texts = records.map(({ attrs }) => embeddedText(attrs as PassageAttrs))
    const made = this.making && (await embedPassageTexts(this.making.embedder, texts, this.making.signal))
    for (const [i, error] of made?.refused ?? [])
      this.refusals.add(records[i].id, records[i].attrs as PassageAttrs, error)
    this.#embedded += made?.vectors.size ?? 0
    return records.map((record, i) => {
      const vector = made?.vectors.get(i)
      return {
        id: record.id,
        vector: vector ?? new Float32Array(this.next.db.dimension),
        attrs: attrsFor(record, !vector && hasMeaning(record.attrs as PassageAttrs)),
      }
    })
  }
}

/** Removes the passages that `from` does not have. */
async function removeOthers(from: PassageStore, next: PassageStore) {
  if ((await next.db.count(COLLECTION)) === (await from.db.count(COLLECTION))) return
  const ids = (await next.db.list(COLLECTION, { attrs: false })).map(({ id }) => id)
  for (let at = 0; at < ids.length; at += PAGE) {
    const part = ids.slice(at, at + PAGE)
    const there = await from.get(part)
    const gone = part.filter((_, i) => !there[i])
    if (gone.length > 0) await next.writing((db) => db.delete(COLLECTION, gone))
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
