import { Rows, type Matching, type Store } from '../core.js'
import { NidusError, closedError, coreError, failedError, isTrap, readOnlyError, storageError, unsavedError, aborted } from '../errors.js'
import type { CloseReason, Footprint, RecoveryReport, StoreFiles } from '../types/index.js'
import { loadCore, deadCore, noteTrap } from '../wasm.js'
import { batchCuts } from '../wire.js'
import type { WasmSource } from '../types/segment.js'
import type { Backend, CallOptions, Calls, FileName, Hits, Host, Method, OpenSpec, Source } from './backend.js'
import { hitsOf, matchingOf, reads, stepped, writes, type Step } from './calls.js'
import { Coding, WRITING_MS } from './coding.js'
import { compact } from './compact.js'
import { Exports, exportEnded } from './exports.js'
import { isRead, isWrite } from './methods.js'
import { closeHandles, openStore } from './open.js'
import { Queue } from './queue.js'
import { receive } from './receive.js'
import { HEADER, Turns, readSome, supply, type RowReader } from './rows.js'
import { breathe, dueTurn, inSlices, sleep } from './schedule.js'
import { madeBefore } from './tickets.js'
import { Quicker, Shards } from './shards.js'
import { GivenUp, Tidy } from './tidy.js'
import { Waits } from './waits.js'

const BULK = 4 * 1024 * 1024
const RELAXED_MS = 1000
const RELAXED_LOG = 1024 * 1024
const RELAXED_ROWS = 32 * 1024 * 1024

/** A store in this thread: the core, its host, and the order in which they are used. */
export class Engine implements Backend {
  readonly dimension: number
  readonly storage: string
  readonly recovery: RecoveryReport
  readonly closed: Promise<CloseReason>
  readonly borrows = true
  onCompactionError?: (error: NidusError) => void
  readonly #spec: OpenSpec
  readonly #host: Host
  readonly #core: Store
  readonly #queue: Queue
  readonly #exports = new Exports()
  readonly #turns = new Turns()
  readonly #waits = new Waits()
  /** For calls that find all rows in memory. */
  readonly #rows: Rows
  readonly #reader: RowReader
  #files: StoreFiles
  #shards: Shards | undefined
  #failure: NidusError | undefined
  #closing: Promise<void> | undefined
  #ended!: (reason: CloseReason) => void
  #timer: ReturnType<typeof setTimeout> | undefined
  #unflushed = 0
  /** The core is gone. */
  #over = false
  /** Writes that were acknowledged and that no flush has covered; and those of the group at hand. */
  #unsaved = 0
  #staged = 0
  readonly #coding: Coding
  #tidy: Tidy | undefined
  #dealing = false
  readonly #quicker = new Quicker()
  /** Or opened: what waits for that comes first as well. */
  #wrote = performance.now()

  /** With a source: what that holds, bytes and all, in place of what there was. `Incomplete` if it was to be a new store, and came to nothing. */
  static async open(spec: OpenSpec, host: Host, wasm?: WasmSource, source?: Source): Promise<Engine> {
    await loadCore(wasm)
    const { core, files } = await (source ? receive(spec, host, source) : openStore(spec, host))
    const engine = new Engine(spec, host, core, files)
    if (spec.workers > 1) {
      try {
        engine.#shards = await Shards.open(spec.workers, core.dimension)
      } catch (error) {
        await engine.close()
        throw error
      }
    }
    engine.#code()
    // What was imported stays as it is until the next opening.
    if (source) engine.#tidy = undefined
    if (source || spec.readOnly || !(core.deadRatio > spec.autoCompact)) return engine
    try {
      await engine.call('compact', [])
      engine.recovery.compacted = true
      return engine
    } catch (error) {
      const compactionError = error as NidusError
      if (!engine.#failure) {
        engine.recovery.compactionError = compactionError
        engine.#tidy?.putOff()
        return engine
      }
      // What the files are now only they can tell.
      await engine.close()
      const reopened = await Engine.open({ ...spec, autoCompact: Infinity }, host, wasm)
      reopened.recovery.compactionError = compactionError
      return reopened
    }
  }

  private constructor(spec: OpenSpec, host: Host, core: Store, files: StoreFiles) {
    this.#spec = spec
    this.#host = host
    this.#core = core
    this.#files = files
    this.#rows = new Rows()
    this.#reader = { dimension: core.dimension, data: () => this.#files.data, run: (work) => this.#run(work), waits: this.#waits }
    host.onLost = (error) => this.#fail(error)
    this.closed = new Promise((resolve) => (this.#ended = resolve))
    this.dimension = core.dimension
    this.storage = host.kind
    const cut = JSON.parse(core.recovery) as { logBytes: number; logFrames: number; dataBytes: number; created: boolean; orphanedRows: number }
    this.recovery = {
      bytes: cut.logBytes + cut.dataBytes,
      frames: cut.logFrames,
      logBytes: cut.logBytes,
      dataBytes: cut.dataBytes,
      created: cut.created,
      compacted: false,
      ...(cut.orphanedRows > 0 && { orphanedRows: cut.orphanedRows }),
    }
    this.#queue = new Queue({ size: () => core.stagedBytes, commit: () => this.#commit() })
    const ended = () => this.#closing !== undefined || this.#failure !== undefined || deadCore() !== undefined
    const [rows, reader, turns] = [this.#rows, this.#reader, this.#turns]
    this.#coding = new Coding({ core, rows, reader, turns, compact: spec.compact, data: () => this.#files.data, writing: () => this.#writing, ended })
    // What was damaged is left as it is for who may still want to read it.
    if (spec.readOnly || spec.autoCompact === Infinity || this.recovery.bytes > 0) return
    this.#tidy = new Tidy(spec.autoCompact, {
      deadRatio: () => core.deadRatio,
      footprint: () => this.#footprint(),
      waited: () => this.#queue.waited,
      exporting: () => this.#exports.any,
      ended,
      compact: (giveWay) => this.#queue.push({ alone: () => this.#compact(giveWay) }),
      failed: (error) => {
        this.recovery.compactionError = error
        this.onCompactionError?.(error)
      },
    })
  }

  async call<M extends Method>(method: M, args: Parameters<Calls[M]>, options: CallOptions = {}): Promise<ReturnType<Calls[M]>> {
    return (await this.#call(method, args, options)) as ReturnType<Calls[M]>
  }

  #call(method: Method, args: unknown[], options: CallOptions): unknown {
    const { signal, keep, ticket } = options
    if (this.#closing) throw closedError(this.#spec.name)
    this.#check()
    const core = this.#core
    if (isRead(method)) return this.#read(method, args, signal)
    if (method === 'exportBegin') return this.#queue.push({ alone: () => this.#exportBegin() })
    if (method === 'exportRead') return this.#exportRead(...(args as Parameters<Calls['exportRead']>))
    if (method === 'exportEnd') return this.#exports.end(args[0] as string)
    if (method === 'flush' && this.#spec.readOnly) return
    if (this.#spec.readOnly) throw readOnlyError(this.#spec.name)
    if (method === 'flush') return this.#queue.push({ alone: () => this.#flush() })
    if (method === 'compact') return this.#compactLater()
    if (!isWrite(method)) throw new NidusError('UNSUPPORTED', `this version knows no call ${method}`)
    if (method === 'upsert') {
      const upsert = args as Parameters<Calls['upsert']>
      const bulk = upsert[3].byteLength > BULK
      if (bulk && keep) upsert[3] = keep()
      if (bulk) return this.#queue.push({ alone: () => this.#bulk(upsert, options) }, signal)
    }
    const stage = writes[method] as (core: Store, ...args: unknown[]) => unknown
    const work = {
      stage: () => {
        this.#check()
        return this.#run(() => {
          const before = ticket && madeBefore(core, method, ticket)
          if (before) return before.result
          const result = stage(core, ...args)
          if (ticket) core.stageReceipt(Number(result ?? 0))
          this.#staged++
          return result
        })
      },
      keep: keep && (() => (args[3] = keep())),
    }
    const matching = this.#run(() => matchingOf(core, method, args))
    if (!matching) return this.#queue.push(work, signal)
    const slowly = async () => {
      await this.#match(matching, signal)
      const result = work.stage()
      await this.#commit()
      return result
    }
    return this.#queue.push({ alone: slowly }, signal)
  }

  #read(method: Method, args: unknown[], signal: AbortSignal | undefined): unknown {
    if (signal?.aborted) throw aborted(signal)
    const rows = method === 'search' ? this.#files.data.getSize() / 4 : this.dimension
    let due = dueTurn(rows)
    const several = method === 'search' && this.#shards?.share ? true : Object.hasOwn(stepped, method) && this.#spec.compact && !this.#files.data.read
    const matching = this.#run(() => matchingOf(this.#core, method, args))
    if (!due && !several && !matching) return this.#answer(method, args)
    return this.#turns.read(async () => {
      for (; due; due = dueTurn(0)) await due
      if (this.#over) throw closedError(this.#spec.name)
      if (signal?.aborted) throw aborted(signal)
      this.#check()
      if (matching) await this.#match(matching, signal)
      return this.#answer(method, args, signal)
    }, signal && ((gate) => this.#waits.for(() => gate, signal)))
  }

  #answer(method: Method, args: unknown[], signal?: AbortSignal): unknown {
    const core = this.#core
    if (!Object.hasOwn(stepped, method)) return this.#run(() => (reads[method as keyof typeof reads] as (core: Store, ...args: unknown[]) => unknown)(core, ...args))
    const begin = () => this.#run(() => (stepped[method as keyof typeof stepped] as (core: Store, ...args: unknown[]) => { step: Step<unknown>; free?(): void })(core, ...args))
    if (method !== 'search') return this.#stepped(begin(), signal)
    return this.#coding.search((args[0] as Float32Array).length / this.dimension, () =>
      this.#shards?.share ? this.#searchQuicker(args as Parameters<Calls['search']>) : this.#stepped(begin(), signal),
    )
  }

  /** A filter's work, with turns for everything else, the caller's signal too. */
  async #match(matching: Matching, signal: AbortSignal | undefined) {
    try {
      await inSlices(() => {
        this.#check()
        if (signal?.aborted) throw aborted(signal)
        return this.#run(() => matching.step(this.#core))
      })
    } finally {
      if (!deadCore()) matching.free()
    }
  }

  /** With the other workers or alone, by what was quicker of late: messages take their time, too, and rows that are alike are found in less. */
  async #searchQuicker(args: Parameters<Calls['search']>): Promise<Hits> {
    const together = this.#quicker.next()
    const began = performance.now()
    const hits = await (together ? this.#searchTogether(args) : this.#stepped(this.#run(() => stepped.search(this.#core, ...args))))
    this.#quicker.took(together, (performance.now() - began) / args[0].length)
    return hits as Hits
  }

  async #searchTogether([queries, collections, names, topK, minScore, filter, withVectors]: Parameters<Calls['search']>): Promise<Hits> {
    const core = this.#core
    for (;;) {
      const search = this.#run(() => core.beginSearch(queries, collections, names, topK, minScore, filter))
      try {
        const own = () => this.#run(() => search.own(core, this.#rows))
        await this.#shards!.search(search, core, queries, topK, minScore, own, this.#reader.run)
        return this.#run(() => hitsOf(search.advance(core, this.#rows, withVectors)))!
      } catch (error) {
        // Without them all rows are here.
        if ((error as NidusError).code !== 'WORKER_FAILED') throw error
        this.#shards!.end()
      } finally {
        if (!deadCore()) search.free()
      }
    }
  }

  /** To the end, with rows read where memory does not hold them: at once if the medium can. */
  #stepped({ step, free }: { step: Step<unknown>; free?(): void }, signal?: AbortSignal): unknown {
    const rows = this.#spec.compact ? this.#run(() => new Rows()) : this.#rows
    const end = () => {
      if (deadCore()) return
      free?.()
      if (rows !== this.#rows) rows.free()
    }
    const go = (): unknown => {
      for (;;) {
        const result = this.#run(() => step(rows))
        if (result !== undefined) return result
        const read = supply(rows, this.#reader, signal)
        if (read) return read.then(go)
      }
    }
    let result: unknown
    try {
      result = go()
      if (result instanceof Promise) return result.finally(end)
    } catch (error) {
      end()
      throw error
    }
    end()
    return result
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** One batch, taken up in slices so that readers are not held up, and published as one. */
  async #bulk([collection, count, batch, vectors]: Parameters<Calls['upsert']>, { signal, onProgress, ticket }: CallOptions) {
    this.#check()
    const before = ticket && this.#run(() => madeBefore(this.#core, 'upsert', ticket))
    if (before) return before.result
    const every = Math.max(1, Math.floor(BULK / (this.dimension * 4)))
    const cuts = batchCuts(batch, count, every)
    try {
      for (let done = 0, i = 0; done < count; i++) {
        if (signal?.aborted) throw aborted(signal)
        const rows = Math.min(every, count - done)
        const floats = vectors.subarray(done * this.dimension, (done + rows) * this.dimension)
        this.#run(() => this.#core.stageUpsert(collection, rows, batch.subarray(cuts[i], cuts[i + 1]), floats, done))
        done += rows
        if (done < count) onProgress?.(done, count)
        await breathe()
      }
      if (signal?.aborted) throw aborted(signal)
      if (ticket) this.#run(() => this.#core.stageReceipt(count))
    } catch (error) {
      if (!this.#failure) this.#run(() => this.#core.unstage())
      throw error
    }
    this.#staged++
    await this.#commit()
    return count
  }

  async #commit() {
    this.#check()
    const staged = this.#staged
    this.#staged = 0
    const size = this.#core.stagedBytes
    this.#run(() => this.#core.write())
    if (size > 0) await this.#hostCommit()
    const apply = () => this.#run(() => this.#core.apply())
    // Where all rows are in memory nobody reads across turns.
    if (this.#spec.compact || this.#shards) await this.#turns.change(apply)
    else apply()
    if (this.#spec.compact) await this.#coding.catchUp()
    this.#wrote = performance.now()
    this.#code()
    this.#tidy?.wrote()
    if (this.#spec.relaxed && size > 0) {
      this.#unflushed += size
      this.#unsaved += staged
      if (this.#core.heldBytes >= RELAXED_LOG || this.#unflushed >= RELAXED_ROWS) await this.#flush()
      else this.#timer ??= setTimeout(() => void this.#timedFlush(), RELAXED_MS)
    }
  }

  async #hostCommit() {
    try {
      await this.#host.commit()
    } catch (error) {
      const coded = storageError(error, 'the commit failed')
      if (this.#host.transactional && coded.code !== 'OUTCOME_UNKNOWN' && coded.code !== 'FAILED') this.#run(() => this.#core.rollback())
      else this.#fail(coded)
      throw coded
    }
  }

  async #flush() {
    this.#check()
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#unflushed = 0
    this.#run(() => this.#core.flush())
    try {
      await this.#host.commit()
    } catch (error) {
      const coded = storageError(error, 'the flush failed')
      this.#fail(coded)
      throw coded
    }
    this.#unsaved = 0
  }

  /** Nobody waits for it, so a failure must be told by every call from then on, and by `close`. */
  async #timedFlush() {
    try {
      await this.#queue.push({ alone: () => this.#flush() })
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Writes go on while it waits for exports. */
  async #compactLater(): Promise<void> {
    while (this.#exports.any) {
      await this.#exports.done()
      if (this.#closing) throw closedError(this.#spec.name)
    }
    if (!(await this.#queue.push({ alone: () => this.#compact() }))) await this.#compactLater()
  }

  async #exportBegin() {
    this.#check()
    if (this.#closing) throw closedError(this.#spec.name)
    const { readOnly, relaxed } = this.#spec
    if (relaxed && !readOnly) await this.#flush()
    const { dataBytes, logBytes } = this.recovery
    // Read-only nothing was cut but in memory.
    return this.#exports.begin(this.#files, readOnly ? { data: dataBytes, log: logBytes } : { data: 0, log: 0 })
  }

  #exportRead(id: string, file: FileName, at: number, length: number): Promise<Uint8Array> {
    const { name, readOnly } = this.#spec
    return this.#exports.read(id, async () => {
      if (this.#host.rowsInCore && file === 'data' && at > 0) {
        return this.#run(() => new Uint8Array(this.#core.rows((at - HEADER) / (4 * this.dimension)).buffer).subarray(0, length))
      }
      const handle = this.#files[file]
      let bytes: Uint8Array | undefined
      let failure: unknown
      try {
        // A copy: a host of somebody else's may keep its own.
        bytes = (await this.#waits.for((gone) => readSome(handle, at, length, gone))).slice()
      } catch (error) {
        failure = error
      }
      if (this.#closing) throw closedError(name)
      // Of what is not read at once nobody knows which file it came from.
      if (readOnly && !(bytes && handle.read) && (await this.#host.changed?.(this.#files)) === 'replaced') throw exportEnded(failure)
      if (!bytes) throw storageError(failure, 'the export could not read the store')
      return bytes
    })
  }

  /** Returns false, with nothing done, where an export began in the meantime. */
  async #compact(giveWay?: () => boolean) {
    this.#check()
    if (this.#exports.any) return false
    if (this.#spec.relaxed) await this.#flush()
    const before = this.#files
    const compacting = { core: this.#core, host: this.#host, run: this.#reader.run, fail: (error: unknown) => this.#fail(error), reader: this.#reader, between: () => {
      if (giveWay?.()) throw new GivenUp()
    } }
    await compact(compacting, (adopt, files) =>
      this.#turns.change(() => {
        adopt()
        this.#files = files
        this.#shards?.reset()
      }),
    )
    closeHandles(before)
    this.#code()
    return true
  }

  /** Makes the codes that searches are quick by. */
  #code() {
    this.#coding.begin()
    void this.#deal()
  }

  #footprint(): Footprint {
    return JSON.parse(this.#run(() => this.#core.footprint())) as Footprint
  }

  get #writing() {
    return performance.now() - this.#wrote < WRITING_MS
  }

  /** Gives other workers their rows. */
  async #deal() {
    if (!this.#shards || this.#dealing) return
    this.#dealing = true
    const rows = () => this.#footprint().rows
    try {
      do {
        while (this.#writing) await sleep(WRITING_MS)
        if (this.#closing || this.#failure || deadCore()) return
      } while (await this.#shards.deal(this.#core, rows, this.#reader.run))
    } catch {
      this.#shards.end()
    } finally {
      this.#dealing = false
    }
  }

  endExports() {
    this.#exports.end()
  }

  async #close() {
    this.endExports()
    this.#waits.end(closedError(this.#spec.name))
    await this.#queue.idle()
    clearTimeout(this.#timer)
    this.#tidy?.end()
    let failed: unknown
    if (this.#spec.relaxed && !this.#spec.readOnly && !this.#failure) await this.#flush().catch((error: unknown) => (failed = error))
    // Who was told that it is written, and not that it is durable, is told here.
    if (this.#unsaved > 0) failed = unsavedError(this.#spec.name, this.#unsaved, (failed as NidusError | undefined) ?? this.#failure ?? deadCore())
    // Reads that take several turns are accepted work, too.
    await this.#turns.change(() => {})
    this.#over = true
    this.#shards?.end()
    if (!deadCore()) {
      this.#rows.free()
      this.#core.free()
    }
    closeHandles(this.#files)
    try {
      await this.#host.close()
    } catch (error) {
      failed ??= storageError(error, `the store "${this.#spec.name}" could not be closed in order`)
    }
    this.#ended({ reason: 'closed' })
    if (failed) throw failed
  }

  #check() {
    const dead = this.#failure ?? deadCore()
    if (dead) throw failedError(this.#spec.name, dead)
  }

  #fail(error: unknown) {
    if (this.#failure) return
    const failure = error instanceof NidusError ? error : coreError(error)
    this.#failure = failure
    if (!deadCore() && !this.#core.failed) this.#core.fail(failure.message)
    this.#ended({ reason: 'failed', error: failure })
  }

  /** Every step into the core goes through here. */
  #run<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (isTrap(error)) noteTrap(error)
      const coded = coreError(error)
      if (deadCore() || this.#core.failed) this.#fail(coded)
      throw coded
    }
  }
}
