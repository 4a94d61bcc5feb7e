import type { Attrs, Filter, Hit, NidusErrorCode } from '../types/index.js'
import type { Layout } from './layout.js'

export type ShardedCode = NidusErrorCode | 'BUSY' | 'SHARD_FAILED'

/** An error of a sharded store; `shards`: of which of them. */
export class ShardedError extends Error {
  override readonly name = 'ShardedError'
  readonly code: ShardedCode
  readonly shards: number[]

  constructor(code: ShardedCode, message: string, shards: number[] = [], options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.shards = shards
  }
}

/** A record as it travels. */
export interface Sent {
  id: string
  vector: Float32Array
  attrs?: Attrs
}
export interface Wanted {
  collections?: string | string[]
  topK: number
  minScore?: number
  filter?: Filter
  withVectors?: boolean
}

/** What shards are asked, and answer. */
export interface Calls {
  upsert(collection: string, records: Sent[]): number
  delete(collection: string, ids: string[]): number
  deleteWhere(collection: string, filter: Filter): number
  get(collection: string, ids: string[]): (Sent | null)[]
  search(queries: Float32Array[], wanted: Wanted): Hit[][]
  /** `moved` is odd where records may be in two shards. */
  count(): { count: number; moved: number }
  stats(): Record<string, unknown>
  collections(): string[]
  compact(): null
  /** Takes note of the layout that came along. */
  layout(): null
  /** Moves some of the records that belong elsewhere; how many that were. */
  move(): number
  /** From another shard: written here, or only what is not here yet, or deleted. */
  put(collection: string, records: Sent[]): number
  adopt(collection: string, records: Sent[]): number
  remove(collection: string, ids: string[]): number
  find(collection: string, ids: string[]): (Sent | null)[]
}
export type Call = keyof Calls

/** With every call: whom it is for, by which layout, and, from another shard, from which of its lives and which of its sendings. */
export interface Whom {
  name: string
  index: number
  layout: Layout
  sender?: { index: number; epoch: number; turn: number }
}
export type Answer<T> = { ok: T } | { stale: Layout } | { error: { code: ShardedCode; message: string } }

/** As much of Cloudflare's API as is used. */
export interface ShardStub {
  call(whom: Whom, method: Call, args: unknown[]): Promise<Answer<unknown>>
}
export interface RouterStub {
  layout(name: string, dimension: number, shards: number): Promise<Answer<Layout>>
  grow(name: string, shards: number): Promise<Answer<Layout>>
}
export interface Namespace<Stub> {
  idFromName(name: string): unknown
  get(id: unknown): Stub
}
export const shardAt = (shards: Namespace<ShardStub>, name: string, index: number) => shards.get(shards.idFromName(`${name}/${index}`))

export const groupBy = <T>(items: T[], keyOf: (item: T) => number): Map<number, T[]> => {
  const groups = new Map<number, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return groups
}

/** Bytes of one call: Cloudflare takes 32 MiB. */
const MOST_BYTES = 8 * 2 ** 20

/** No less than a record has on its way, nearly. */
function sizeOf({ id, vector, attrs = {} }: Sent): number {
  let size = 64 + 2 * id.length + vector.byteLength
  for (const [key, value] of Object.entries(attrs)) {
    const texts = Array.isArray(value) ? value : typeof value === 'string' ? [value] : []
    size += 16 + 2 * key.length
    for (const text of texts) size += 8 + 2 * text.length
  }
  return size
}

/** As few as can be sent, in their order. */
export function parts(records: Sent[]): Sent[][] {
  const all: Sent[][] = []
  let room = 0
  for (const record of records) {
    const size = sizeOf(record)
    if (all.length === 0 || size > room) {
      all.push([])
      room = MOST_BYTES
    }
    all.at(-1)!.push(record)
    room -= size
  }
  return all
}

/** As many ids as records are sent back for at once. */
export const partsOfIds = <T>(ids: T[], dimension: number): T[][] => {
  const each = Math.max(1, Math.floor(MOST_BYTES / (4 * dimension + 1024)))
  return Array.from({ length: Math.ceil(ids.length / each) }, (_, i) => ids.slice(i * each, (i + 1) * each))
}

/** All at once. The first failure counts, but nothing is left under way: what is done next comes next. */
export async function settled<T>(work: Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(work)
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
}
