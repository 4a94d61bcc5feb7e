import type { CallOptions } from '../contract/backend.js'
import type { Calls, MethodOf, Kind } from '../contract/calls.js'
import type { Matching } from '../core/core.js'
import { batchCuts } from '../core/wire.js'
import { type NidusError, aborted, storageError, unsavedError } from '../errors/errors.js'
import { breathe } from '../runtime/schedule.js'
import type { Feed, Made } from './feed.js'
import { deadCore } from '../core/load.js'
import { matchingOf, runWrite, type AnyCall } from './core-calls.js'
import type { OpenCore } from './open-core.js'
import { Queue } from './queue.js'
import { madeBefore } from './receipts.js'

/** The vectors of a larger upsert are staged in slices of this size. */
const BULK = 4 * 1024 * 1024
/** With relaxed durability, a flush comes after this time, or after this many bytes of the log or of both files. */
const RELAXED_MS = 1000
const RELAXED_LOG = 1024 * 1024
const RELAXED_BYTES = 32 * 1024 * 1024

/** The parts of the engine that the committer uses. */
interface Committing {
  /** Returns true if reads may take several turns of the event loop, so that a commit group must wait for them. */
  readsSpanTurns(): boolean
  /** Called once a commit group is visible. Later writes wait until it resolves. */
  committed(): Promise<void>
  readonly feed: Feed
}

/**
 * Makes writes durable and visible, in the order of their calls. Writes that wait together are committed as a commit
 * group.
 */
export class Committer {
  readonly queue: Queue
  readonly #open: OpenCore
  readonly #engine: Committing
  #timer: ReturnType<typeof setTimeout> | undefined
  /** The number of bytes written since the last flush. */
  #unflushed = 0
  /** The number of writes acknowledged since the last flush, and of those in the commit group that is being staged. */
  #unsaved = 0
  #staged = 0
  /** The writes of the commit group that change something, in their order. */
  #made: Made[] = []

  constructor(open: OpenCore, engine: Committing) {
    this.#open = open
    this.#engine = engine
    this.queue = new Queue({ size: () => open.store.stagedBytes, commit: () => this.#commit() })
  }

  write(call: AnyCall<MethodOf<Kind.Write>>, options: CallOptions): Promise<unknown> {
    const { signal, keep } = options
    const { store } = this.#open
    if (call.method === 'upsert' && call.args.vectors.byteLength > BULK) {
      const { args } = call
      if (keep) args.vectors = keep()
      return this.queue.push({ alone: () => this.#bulk(args, options) }, signal)
    }
    const stage = () => this.#stage(call, options)
    const matching = this.#open.run(() => matchingOf(store, call))
    if (matching) return this.queue.push({ alone: () => this.#afterMatching(matching, stage, signal) }, signal)
    return this.queue.push(
      { stage, keep: keep && call.method === 'upsert' ? () => (call.args.vectors = keep()) : undefined },
      signal,
    )
  }

  #stage(call: AnyCall<MethodOf<Kind.Write>>, { ticket, from }: CallOptions): unknown {
    const { store } = this.#open
    this.#open.check()
    return this.#open.run(() => {
      const before = ticket && madeBefore(store, call.method, ticket)
      if (before) return before.result
      const size = store.stagedBytes
      const { method, args } = call
      // The core tells the metadata as they were before the commit group.
      const dropped =
        method === 'setMeta' &&
        this.#made.some((made) => made.method === 'dropCollection' && made.collection === args.collection)
      const result = runWrite(store, call, dropped)
      if (store.stagedBytes > size) this.#note(call.method, call.args.collection, result, from)
      if (ticket) store.stageReceipt(Number(result ?? 0))
      this.#staged++
      return result
    })
  }

  #note(method: string, collection: string, result: unknown, from: string | undefined) {
    this.#made.push({ method, collection, count: typeof result === 'number' ? result : 0, from })
  }

  async #afterMatching(matching: Matching, stage: () => unknown, signal: AbortSignal | undefined) {
    await this.#open.match(matching, signal)
    const result = stage()
    await this.#commit()
    return result
  }

  /** Stages a large upsert in slices, so that reads need not wait for all of it, and commits it as a whole. */
  async #bulk(
    { collection, count, batch, vectors }: Calls['upsert']['args'],
    { signal, onProgress, ticket, from }: CallOptions,
  ) {
    const { store } = this.#open
    const { dimension } = store
    this.#open.check()
    const before = ticket && this.#open.run(() => madeBefore(store, 'upsert', ticket))
    if (before) return before.result
    const every = Math.max(1, Math.floor(BULK / (dimension * 4)))
    const cuts = batchCuts(batch, count, every)
    try {
      for (let done = 0, i = 0; done < count; i++) {
        if (signal?.aborted) throw aborted(signal)
        const rows = Math.min(every, count - done)
        const floats = vectors.subarray(done * dimension, (done + rows) * dimension)
        this.#open.run(() =>
          store.stageUpsert(collection, rows, batch.subarray(cuts[i], cuts[i + 1]), floats, done, false),
        )
        done += rows
        if (done < count) onProgress?.(done, count)
        await breathe()
      }
      if (signal?.aborted) throw aborted(signal)
      if (ticket) this.#open.run(() => store.stageReceipt(count))
    } catch (error) {
      if (!this.#open.failure) this.#open.run(() => store.unstage())
      throw error
    }
    this.#staged++
    this.#note('upsert', collection, count, from)
    await this.#commit()
    return count
  }

  /** Commits what another caller has staged in its own turn of the queue. */
  async commit(method: string, collection: string, from: string | undefined) {
    this.#staged++
    this.#note(method, collection, undefined, from)
    await this.#commit()
  }

  /**
   * Makes the staged commit group durable, then visible. With strict durability it is durable after the core's `write`,
   * or after the commit of a transactional host.
   */
  async #commit() {
    const open = this.#open
    const { store, spec, host } = open
    open.check()
    const staged = this.#staged
    this.#staged = 0
    const made = this.#made
    this.#made = []
    const size = store.stagedBytes
    const begun = size > 0 ? host.begin?.() : undefined
    open.run(() => store.write())
    if (size > 0) await this.#hostCommit(begun)
    const { feed } = this.#engine
    const apply = () => {
      feed.made(made, () => open.run(() => store.stagedIds()))
      open.run(() => store.apply())
    }
    if (this.#engine.readsSpanTurns()) await open.turns.change(apply)
    else apply()
    await this.#engine.committed()
    if (spec.relaxed && size > 0) {
      this.#unflushed += size
      this.#unsaved += staged
      if (store.heldBytes >= RELAXED_LOG || this.#unflushed >= RELAXED_BYTES) await this.flush()
      else this.#timer ??= setTimeout(() => void this.#timedFlush(), RELAXED_MS)
    }
    feed.tell()
  }

  async #hostCommit(begun: Promise<boolean> | undefined) {
    const { host, store } = this.#open
    try {
      await host.commit(begun)
    } catch (error) {
      const coded = storageError(error, 'the commit failed')
      const undone = host.transactional && coded.code !== 'OUTCOME_UNKNOWN' && coded.code !== 'FAILED'
      if (undone) this.#open.run(() => store.rollback())
      else this.#open.fail(coded)
      throw coded
    }
  }

  async flush() {
    const { host, store } = this.#open
    this.#open.check()
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#unflushed = 0
    this.#open.run(() => store.flush())
    try {
      await host.commit()
    } catch (error) {
      const coded = storageError(error, 'the flush failed')
      this.#open.fail(coded)
      throw coded
    }
    this.#unsaved = 0
  }

  /** Flushes by a timer. No caller waits for this, so if it fails, every later call and `close` throw the error. */
  async #timedFlush() {
    try {
      await this.queue.push({ alone: () => this.flush() })
    } catch (error) {
      this.#open.fail(error)
    }
  }

  /** Completes all writes, and flushes. Returns an error if acknowledged writes may not be durable. */
  async close(): Promise<unknown> {
    const { spec } = this.#open
    await this.queue.idle()
    clearTimeout(this.#timer)
    let failed: unknown
    if (spec.relaxed && !spec.readOnly && !this.#open.failure)
      await this.flush().catch((error: unknown) => (failed = error))
    if (this.#unsaved === 0) return failed
    return unsavedError(
      spec.name,
      this.#unsaved,
      (failed as NidusError | undefined) ?? this.#open.failure ?? deadCore(),
    )
  }
}
