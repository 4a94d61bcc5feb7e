import type { Attrs, Hit } from '../types/index.js'
import { ShardedError, type Sent } from './words.js'

/** Bytes of one call: Cloudflare takes 32 MiB. */
export const MOST_BYTES = 8 * 2 ** 20
/** Of one record: with all that goes with it, it must fit in a call. */
const MOST_RECORD = 31 * 2 ** 20

/** A text has a byte for each character if all are of Latin 1, else two. */
const bytesOf = (text: string) => (/^[\0-\xff]*$/.test(text) ? text.length : 2 * text.length)
const twice = (text: string) => 2 * text.length

/** No less than a record has on its way, nearly. */
function sizeOf({ id, vector, attrs = {} }: { id: string; vector?: Float32Array | undefined; attrs?: Attrs }, textSize = twice): number {
  let size = 64 + 2 * id.length + (vector?.byteLength ?? 0)
  for (const [key, value] of Object.entries(attrs)) {
    const texts = Array.isArray(value) ? value : typeof value === 'string' ? [value] : []
    size += 16 + 2 * key.length
    for (const text of texts) size += 8 + textSize(text)
  }
  return size
}

/** A record that no call could carry is refused before it is anywhere. */
export function checkSize(record: Sent) {
  if (sizeOf(record) <= MOST_RECORD) return
  const size = sizeOf(record, bytesOf)
  if (size > MOST_RECORD) throw new ShardedError('INVALID_ARGUMENT', `the record "${record.id.slice(0, 100)}" has ${(size / 2 ** 20).toFixed(1)} MiB; in a sharded store it can have 31`)
}

/** As Cloudflare says it. */
export const isTooLarge = (error: unknown) => /limited to 32 ?MiB/.test((error as Error)?.message ?? '')

function split<T>(items: T[], size: (item: T) => number): T[][] {
  const all: T[][] = []
  let room = 0
  for (const item of items) {
    const bytes = size(item)
    if (all.length === 0 || bytes > room) {
      all.push([])
      room = MOST_BYTES
    }
    all.at(-1)!.push(item)
    room -= bytes
  }
  return all
}

/** As few as can be sent, in their order. */
export const parts = (records: Sent[]): Sent[][] => split(records, sizeOf)

/** Ids are sent for so many records at once. */
export const partsOfIds = (ids: string[]): string[][] => split(ids, (id) => 8 + 2 * id.length)

export const partsOfQueries = (queries: Float32Array[]): Float32Array[][] => split(queries, ({ byteLength }) => 64 + byteLength)

/** Of the records that `some` finds for a few ids at a time: as many as fit in one answer, and one at least. */
export async function fitting(ids: string[], some: (ids: string[]) => Promise<(Sent | null)[]>): Promise<(Sent | null)[]> {
  const all: (Sent | null)[] = []
  let room = MOST_BYTES
  while (all.length < ids.length) {
    const found = await some(ids.slice(all.length, all.length + AT_A_TIME))
    if (found.length === 0) break
    for (const record of found) {
      room -= record ? sizeOf(record) : 8
      if (room < 0 && all.length > 0) return all
      all.push(record)
    }
  }
  return all
}
const AT_A_TIME = 64

/** The same lists in parts: laid one after the other, list by list, they are the lists. */
export function partsOfHits(lists: Hit[][]): Hit[][][] {
  const flat = lists.flatMap((hits, which) => hits.map((hit) => ({ hit, which })))
  const all = split(flat, ({ hit }) => sizeOf(hit) + 2 * hit.collection.length + 32).map((part) => {
    const some: Hit[][] = lists.map(() => [])
    for (const { hit, which } of part) some[which]!.push(hit)
    return some
  })
  return all.length ? all : [lists]
}
