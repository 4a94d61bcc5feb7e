import { textWith } from '../errors/errors.js'
import type { Attrs, Filter, Hit, NidusErrorCode } from '../types/index.js'
import type { Layout } from './layout.js'

export type ShardedCode = NidusErrorCode | 'BUSY' | 'SHARD_FAILED'

/** An error of a sharded store. `shards` lists the shards that it is about. */
export class ShardedError extends Error {
  override readonly name = 'ShardedError'
  readonly code: ShardedCode
  readonly shards: number[]

  constructor(code: ShardedCode, message: string, shards: number[] = [], options?: { cause?: unknown }) {
    super(textWith(code, message), options)
    this.code = code
    this.shards = shards
  }
}

/** Says that the caller has an older layout. `done` is the number of records that were deleted before this showed. */
export class Stale {
  constructor(
    readonly layout: Layout,
    public done = 0,
  ) {}
}

/** The form in which a record is sent. */
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

/** The calls of a shard and their answers. */
export interface Calls {
  upsert(collection: string, records: Sent[]): number
  delete(collection: string, ids: string[]): number
  deleteWhere(collection: string, filter: Filter): number
  /** Answers for the first ids: as many as fit into one answer. */
  get(collection: string, ids: string[]): (Sent | null)[]
  search(queries: Float32Array[], wanted: Wanted): Hit[][]
  /** `moved` is odd if records may be in two shards. `waits` lists the shards that this one waits for. */
  count(): { count: number; moved: number; waits?: number[] }
  stats(): Record<string, unknown>
  collections(): string[]
  compact(): null
  /** Takes the layout that comes with the call. */
  layout(): null
  /** Moves some of the records that belong elsewhere. Returns how many there were. */
  move(): number
  /**
   * Takes records of another shard: `put` writes them here, `adopt` writes only those that are missing here, and
   * `remove` deletes them. Without any records, it only makes sure that everything sent before is refused from now on.
   */
  put(collection: string, records: Sent[]): number
  adopt(collection: string, records: Sent[]): number
  remove(collection: string, ids: string[]): number
  /** Works like `get`, on this shard alone. */
  find(collection: string, ids: string[]): (Sent | null)[]
  has(collection: string, ids: string[]): boolean[]
}
export type Call = keyof Calls

/**
 * Comes with every call: the shard that it is for and the layout. If another shard calls, also which of its lives that
 * is and the number of the message.
 */
export interface Whom {
  name: string
  index: number
  layout: Layout
  sender?: { index: number; epoch: number; turn: number }
  /**
   * If a client calls: its id, the number of the call, and the number up to which it has given up its calls to this
   * shard.
   */
  client?: { id: string; turn: number; fence: number }
  /** The caller waits so many milliseconds for the answer. */
  timeout?: number
  /** The caller accepts an answer in parts. */
  parts?: true
}
/** `more` returns the next part, or null after the last one. */
export type Answer<T> = { ok: T; more?: () => Promise<T | null> } | { stale: Layout; done?: number } | { error: Told }
interface Told {
  code: ShardedCode
  message: string
  shards?: number[]
}

/** The part of Cloudflare's API that is used. */
export interface ShardStub {
  call(whom: Whom, method: Call, args: unknown[]): Promise<Answer<unknown>>
}
export interface RouterStub {
  layout(name: string, dimension: number, shards: number): Promise<Answer<Layout>>
  /** Waits for a while, and then returns the layout as it is. */
  grow(name: string, shards: number, timeout: number): Promise<Answer<Layout>>
}
export interface Namespace<Stub> {
  idFromName(name: string): unknown
  get(id: unknown): Stub
}
export const shardAt = (shards: Namespace<ShardStub>, name: string, index: number) =>
  shards.get(shards.idFromName(`${name}/${index}`))

export async function unwrap<T>(answer: Promise<Answer<unknown>>): Promise<T> {
  const found = await answer
  if ('ok' in found) return found.ok as T
  if ('error' in found) throw new ShardedError(found.error.code, found.error.message, found.error.shards)
  throw new Stale(found.stale, found.done)
}

/** The time to wait for an answer, if the caller gives none. */
export const TIMEOUT_MS = 30_000
const seconds = (ms: number) => `${Math.round(ms / 100) / 10} s`
export const silent = (who: string, ms: number, shards: number[]) =>
  new ShardedError('SHARD_FAILED', `${who} did not answer within ${seconds(ms)}`, shards)

/** Waits for at most `ms`, and until the signal aborts. The work itself goes on without being waited for. */
export function within<T>(work: Promise<T>, ms: number, late: () => Error, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
    const stop = (error: Error) => {
      end()
      reject(error)
    }
    const abort = () => stop(aborted(signal!))
    const timer = setTimeout(() => stop(late()), ms)
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted) abort()
    work.then(resolve, reject).finally(end)
  })
}
export const aborted = (signal: AbortSignal) =>
  new ShardedError('ABORTED', 'the call was aborted; what was sent may still be done', [], { cause: signal.reason })

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

/** Runs all at once. The first failure counts, but all of them are waited for, so that nothing is left under way. */
export async function settled<T>(work: Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(work)
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
}
