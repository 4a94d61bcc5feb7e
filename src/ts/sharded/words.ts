import { textWith } from '../errors.js'
import type { Attrs, Filter, Hit, NidusErrorCode } from '../types/index.js'
import type { Layout } from './layout.js'

export type ShardedCode = NidusErrorCode | 'BUSY' | 'SHARD_FAILED'

/** An error of a sharded store; `shards`: of which of them. */
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

/** Whoever asked goes by an older layout. `done`: how many were deleted before that showed. */
export class Stale {
  constructor(readonly layout: Layout, public done = 0) {}
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
  /** Of the first ids, as many as fit in an answer. */
  get(collection: string, ids: string[]): (Sent | null)[]
  search(queries: Float32Array[], wanted: Wanted): Hit[][]
  /** `moved` is odd where records may be in two shards; `waits`: for which other shards this one waits. */
  count(): { count: number; moved: number; waits?: number[] }
  stats(): Record<string, unknown>
  collections(): string[]
  compact(): null
  /** Takes note of the layout that came along. */
  layout(): null
  /** Moves some of the records that belong elsewhere; how many that were. */
  move(): number
  /** From another shard: written here, or only what is not here yet, or deleted. With nothing in it: what was sent before is refused from now on. */
  put(collection: string, records: Sent[]): number
  adopt(collection: string, records: Sent[]): number
  remove(collection: string, ids: string[]): number
  /** As get, of this shard alone. */
  find(collection: string, ids: string[]): (Sent | null)[]
  has(collection: string, ids: string[]): boolean[]
}
export type Call = keyof Calls

/** With every call: whom it is for, by which layout, and, from another shard, from which of its lives and which of its sendings. */
export interface Whom {
  name: string
  index: number
  layout: Layout
  sender?: { index: number; epoch: number; turn: number }
  /** From a client: which one, its number, and up to which number it has given up what it sent here. */
  client?: { id: string; turn: number; fence: number }
  /** So many milliseconds are waited for the answer. */
  timeout?: number
  /** Answers may come in parts. */
  parts?: true
}
/** `more`: the next part, until there is none. */
export type Answer<T> = { ok: T; more?: () => Promise<T | null> } | { stale: Layout; done?: number } | { error: Told }
interface Told { code: ShardedCode; message: string; shards?: number[] }

/** As much of Cloudflare's API as is used. */
export interface ShardStub {
  call(whom: Whom, method: Call, args: unknown[]): Promise<Answer<unknown>>
}
export interface RouterStub {
  layout(name: string, dimension: number, shards: number): Promise<Answer<Layout>>
  /** Waits for a while: the layout that there is then. */
  grow(name: string, shards: number, timeout: number): Promise<Answer<Layout>>
}
export interface Namespace<Stub> {
  idFromName(name: string): unknown
  get(id: unknown): Stub
}
export const shardAt = (shards: Namespace<ShardStub>, name: string, index: number) => shards.get(shards.idFromName(`${name}/${index}`))

export async function unwrap<T>(answer: Promise<Answer<unknown>>): Promise<T> {
  const found = await answer
  if ('ok' in found) return found.ok as T
  if ('error' in found) throw new ShardedError(found.error.code, found.error.message, found.error.shards)
  throw new Stale(found.stale, found.done)
}

/** How long an answer is waited for, unless somebody says otherwise. */
export const TIMEOUT_MS = 30_000
const seconds = (ms: number) => `${Math.round(ms / 100) / 10} s`
export const silent = (who: string, ms: number, shards: number[]) => new ShardedError('SHARD_FAILED', `${who} did not answer within ${seconds(ms)}`, shards)

/** No longer than `ms`, and not beyond the signal. What is under way goes on unheard. */
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
export const aborted = (signal: AbortSignal) => new ShardedError('ABORTED', 'the call was aborted; what was sent may still be done', [], { cause: signal.reason })

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

/** All at once. The first failure counts, but nothing is left under way: what is done next comes next. */
export async function settled<T>(work: Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(work)
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
}
