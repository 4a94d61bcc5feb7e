import type { Attrs, Hit } from '../types/index.js'
import { invalid } from '../errors/errors.js'
import type { Changed, Sent } from './protocol.js'

/** The most bytes of one call. Cloudflare takes 32 MiB. */
export const MOST_BYTES = 8 * 2 ** 20
/** The most bytes of one record. It must fit into a call with all that goes with it. */
const MOST_RECORD = 31 * 2 ** 20

/** A text takes one byte for each character if all of them are in Latin 1, else two. */
const bytesOf = (text: string) => (/^[\0-\xff]*$/.test(text) ? text.length : 2 * text.length)
const twice = (text: string) => 2 * text.length

interface Sized {
  id: string
  vector?: Float32Array | undefined
  attrs?: Attrs | Changed['attrs']
}

/** Estimates the bytes that a record takes on its way. The estimate is hardly ever too small. */
function sizeOf({ id, vector, attrs = {} }: Sized, textSize = twice): number {
  let size = 64 + 2 * id.length + (vector?.byteLength ?? 0)
  for (const [key, value] of Object.entries(attrs)) {
    const texts = Array.isArray(value) ? value : typeof value === 'string' ? [value] : []
    size += 16 + 2 * key.length
    for (const text of texts) size += 8 + textSize(text)
  }
  return size
}

/** Refuses a record that no call could carry, before it is stored anywhere. */
export function checkSize(record: Sent | Changed) {
  if (sizeOf(record) <= MOST_RECORD) return
  const size = sizeOf(record, bytesOf)
  if (size > MOST_RECORD)
    throw invalid(
      `the record "${record.id.slice(0, 100)}" has ${(size / 2 ** 20).toFixed(1)} MiB; ` +
        'in a sharded store it can have 31',
    )
}

/** Cloudflare's own words. */
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

/** Splits records into as few parts as can be sent, in their order. */
export const parts = <T extends Sized>(records: T[]): T[][] => split(records, sizeOf)

/** Splits ids, which are sent for that many records at once. */
export const partsOfIds = (ids: string[]): string[][] => split(ids, (id) => 8 + 2 * id.length)

export const partsOfQueries = (queries: Float32Array[]): Float32Array[][] =>
  split(queries, ({ byteLength }) => 64 + byteLength)

/** Finds records for a few ids at a time, and returns as many as fit into one answer, but at least one. */
export async function fitting(
  ids: string[],
  some: (ids: string[]) => Promise<(Sent | null)[]>,
): Promise<(Sent | null)[]> {
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

function sizeOfHit(hit: Hit): number {
  let size = sizeOf(hit) + 2 * hit.collection.length + 64 + twice(hit.snippet ?? '')
  if (hit.group !== undefined) size += sizeOf({ id: '', attrs: { group: hit.group } })
  // A place is a list of two or three numbers.
  for (const [field, places] of Object.entries(hit.matches ?? {})) size += 16 + 2 * field.length + 40 * places.length
  return size
}

/** Splits lists of hits into parts. Joined one after the other, list by list, the parts give the lists again. */
export function partsOfHits(lists: Hit[][]): Hit[][][] {
  const flat = lists.flatMap((hits, which) => hits.map((hit) => ({ hit, which })))
  const all = split(flat, ({ hit }) => sizeOfHit(hit)).map((part) => {
    const some: Hit[][] = lists.map(() => [])
    for (const { hit, which } of part) some[which].push(hit)
    return some
  })
  return all.length ? all : [lists]
}
