import type { Backend, CallOptions, OpenSpec, Source } from '../contract/backend.js'
import {
  isRead,
  isWrite,
  type Args,
  type Calls,
  type Method,
  type MethodOf,
  type Result,
  type Kind,
} from '../contract/calls.js'
import type { Host } from '../contract/host.js'
import type { Store } from '../core/core.js'
import { deadCore, loadCore } from '../core/load.js'
import { loadPart } from '../core/parts.js'
import { NidusError, closedError, readOnlyError, storageError } from '../errors/errors.js'
import { HEADER } from '../format/ownership.js'
import type { CloseReason, Footprint, RecoveryReport, StoreFiles } from '../types/index.js'
import type { WasmSource } from '../types/segment.js'
import { AutoCompaction, GivenUp } from './auto-compaction.js'
import { Coder, WRITING_MS } from './coder.js'
import { Committer } from './committer.js'
import { compact } from './compaction.js'
import { reads, type AnyCall } from './core-calls.js'
import { Door } from './door.js'
import { Exports, exportEnded } from './exports.js'
import { Feed } from './feed.js'
import { openImported } from './import.js'
import { OpenCore } from './open-core.js'
import { closeHandles, openStore } from './open.js'
import { Reads } from './reads.js'
import { readSome } from './rows.js'
import { SearchWorkers } from './search-workers.js'
import { TextCalls } from './text-calls.js'

/** A store that is open in this thread: takes calls and hands them to the parts that run them. */
export class Engine implements Backend {
  readonly dimension: number
  readonly storage: string
  readonly recovery: RecoveryReport
  readonly closed: Promise<CloseReason>
  readonly borrows = true
  onCompactionError?: (error: NidusError) => void
  readonly #open: OpenCore
  readonly #door = new Door()
  readonly #committer: Committer
  readonly #coder: Coder
  readonly #reads: Reads
  readonly #exports = new Exports()
  readonly #text: TextCalls
  readonly #feed = new Feed()
  #autoCompaction: AutoCompaction | undefined
  #workers: SearchWorkers | undefined
  #closing: Promise<void> | undefined
  #ended!: (reason: CloseReason) => void
  /** When a write was last committed. The opening counts as one. */
  #wrote = performance.now()

  /** Loads what an opening needs. An opening does this first, so that nothing is made if it fails. */
  static async load({ compactMemory }: OpenSpec, wasm?: WasmSource): Promise<void> {
    await loadCore(wasm)
    // With compact memory, rows get codes while they are read and written.
    if (compactMemory) await loadPart('codes')
  }

  /**
   * Opens a store. With a source, the store becomes a copy of the source, byte for byte. Rejects with `Incomplete` if
   * the source was to become a new store, and certainly no store was made.
   */
  static async open(spec: OpenSpec, host: Host, wasm?: WasmSource, source?: Source): Promise<Engine> {
    await Engine.load(spec, wasm)
    const { core, files } = await (source ? openImported(spec, host, source) : openStore(spec, host))
    const engine = new Engine(spec, host, core, files)
    if (spec.workers > 1) {
      try {
        engine.#workers = await SearchWorkers.open(engine.#open)
      } catch (error) {
        await engine.close()
        throw error
      }
    }
    engine.#makeCodes()
    engine.#text.begin()
    // An imported store stays as it is until the next opening.
    if (source) engine.#autoCompaction = undefined
    if (source || spec.readOnly || !(core.deadRatio > spec.autoCompact)) return engine
    return engine.#compactAtOpening(wasm)
  }

  async #compactAtOpening(wasm: WasmSource | undefined): Promise<Engine> {
    const { spec, host } = this.#open
    try {
      await this.call('compact', {})
      this.recovery.compacted = true
      return this
    } catch (error) {
      const compactionError = error as NidusError
      if (!this.#open.failure) {
        this.recovery.compactionError = compactionError
        this.#autoCompaction?.putOff()
        return this
      }
      // It is unknown what the files hold now, so they are read again.
      await this.close()
      const reopened = await Engine.open({ ...spec, autoCompact: Infinity }, host, wasm)
      reopened.recovery.compactionError = compactionError
      return reopened
    }
  }

  private constructor(spec: OpenSpec, host: Host, core: Store, files: StoreFiles) {
    this.closed = new Promise((resolve) => (this.#ended = resolve))
    const open = new OpenCore(spec, host, core, files, (error) => this.#ended({ reason: 'failed', error }))
    this.#open = open
    this.dimension = core.dimension
    this.storage = host.kind
    this.recovery = recoveryOf(core)
    const ended = () => this.#hasEnded
    this.#committer = new Committer(open, {
      // Where all rows are in memory nobody reads across turns.
      readsSpanTurns: () => spec.compactMemory || this.#workers !== undefined || this.#text.used,
      committed: () => this.#committed(),
      feed: this.#feed,
    })
    this.#coder = new Coder(open, () => this.#writing, ended)
    this.#reads = new Reads(open, this.#coder, () => this.#workers)
    this.#text = new TextCalls(open, () => this.#closing !== undefined)
    // A damaged store is left as it is, because somebody may still want to read it.
    if (spec.readOnly || spec.autoCompact === Infinity || this.recovery.bytes > 0) return
    const { queue } = this.#committer
    this.#autoCompaction = new AutoCompaction(spec.autoCompact, {
      deadRatio: () => core.deadRatio,
      footprint: () => this.#footprint(),
      waited: () => queue.waited,
      exporting: () => this.#exports.any,
      ended,
      compact: (giveWay) => queue.push({ alone: () => this.#compact(giveWay) }),
      failed: (error) => {
        this.recovery.compactionError = error
        this.onCompactionError?.(error)
      },
    })
  }

  async call<M extends Method>(method: M, args: Args<M>, options: CallOptions = {}): Promise<Result<M>> {
    // A name and its arguments go together, which TypeScript does not follow by itself.
    return (await this.#call({ method, args } as unknown as AnyCall, options)) as Result<M>
  }

  #call(call: AnyCall, options: CallOptions): unknown {
    if (this.#closing) throw closedError(this.#open.spec.name)
    this.#open.check()
    const work = () => this.#door.pass(call, () => this.#run(call, options))
    return call.method === 'search' || call.method === 'query' ? timed(work) : work()
  }

  #run(call: AnyCall, options: CallOptions): unknown {
    const { spec } = this.#open
    if (call.method === 'query') return this.#text.query(call.args, options.signal)
    if (call.method === 'changes') return this.#feed.ask(call.args, options.from)
    if (call.method === 'footprint') return this.#footprint()
    if (isReadCall(call)) return this.#reads.read(call, options.signal)
    const { method, args } = call
    if (method === 'exportBegin') return this.#committer.queue.push({ alone: () => this.#exportBegin() })
    if (method === 'exportRead') return this.#exportRead(args)
    if (method === 'exportEnd') return this.#exports.end(args.id)
    if (method === 'flush' && spec.readOnly) return undefined
    if (spec.readOnly) throw readOnlyError(spec.name)
    if (method === 'flush') return this.#committer.queue.push({ alone: () => this.#committer.flush() })
    if (method === 'compact') return this.#compactLater()
    if (method === 'setText') return this.#setText(args, options)
    if (method === 'dropCollection') this.#text.dropping(args.collection)
    if (!isWriteCall(call)) throw new NidusError('UNSUPPORTED', `this version knows no call ${String(method)}`)
    return this.#committer.write(call, options)
  }

  #setText(args: Calls['setText']['args'], options: CallOptions) {
    const { queue } = this.#committer
    return this.#text.setText(args, options, (stage) =>
      queue.push(
        {
          alone: async () => {
            if (this.#closing) throw closedError(this.#open.spec.name)
            this.#open.check()
            await this.#committer.commit(this.#open.run(stage), args.collection, options.from)
          },
        },
        options.signal,
      ),
    )
  }

  async #committed() {
    this.#text.wrote()
    if (this.#open.spec.compactMemory) await this.#coder.catchUp()
    this.#wrote = performance.now()
    this.#makeCodes()
    this.#autoCompaction?.wrote()
  }

  get #writing() {
    return performance.now() - this.#wrote < WRITING_MS
  }

  get #hasEnded() {
    return this.#closing !== undefined || this.#open.failure !== undefined || deadCore() !== undefined
  }

  /** Starts to make the codes that make searches fast, and gives search workers their rows. */
  #makeCodes() {
    this.#coder.begin()
    void this.#workers?.deal(
      () => this.#footprint().rows,
      () => this.#writing,
      () => this.#hasEnded,
    )
  }

  #footprint(): Footprint {
    return this.#text.footprint(this.#open.run(() => reads.footprint(this.#open.store, {})))
  }

  /** Compacts once no export is open. Writes go on until then. */
  async #compactLater(): Promise<void> {
    while (this.#exports.any) {
      await this.#exports.done()
      if (this.#closing) throw closedError(this.#open.spec.name)
    }
    if (!(await this.#committer.queue.push({ alone: () => this.#compact() }))) await this.#compactLater()
  }

  /** Returns false, with nothing done, if an export began in the meantime. */
  async #compact(giveWay?: () => boolean) {
    const open = this.#open
    await loadPart('rest')
    open.check()
    if (this.#exports.any) return false
    if (open.spec.relaxed) await this.#committer.flush()
    const before = open.files
    const between = () => {
      if (giveWay?.()) throw new GivenUp()
    }
    const { store: core, host, reader } = open
    await compact({ core, host, run: reader.run, fail: (error) => open.fail(error), reader, between }, (adopt, files) =>
      open.turns.change(() => {
        adopt()
        open.files = files
        this.#workers?.reset()
      }),
    )
    closeHandles(before)
    this.#makeCodes()
    this.#text.wrote()
    return true
  }

  async #exportBegin() {
    const { spec, files } = this.#open
    this.#open.check()
    if (this.#closing) throw closedError(spec.name)
    if (spec.relaxed && !spec.readOnly) await this.#committer.flush()
    const { dataBytes, logBytes } = this.recovery
    // A read-only opening cuts damage only in memory, so the files still have it.
    return this.#exports.begin(files, spec.readOnly ? { data: dataBytes, log: logBytes } : { data: 0, log: 0 })
  }

  #exportRead({ id, file, at, length }: Calls['exportRead']['args']): Promise<Uint8Array> {
    const { spec, host, hostReads, store } = this.#open
    return this.#exports.read(id, async () => {
      if (host.rowsInCore && file === 'data' && at > 0) {
        return this.#open.run(() =>
          new Uint8Array(store.rows((at - HEADER) / (4 * this.dimension)).buffer).subarray(0, length),
        )
      }
      const handle = this.#open.files[file]
      let bytes: Uint8Array | undefined
      let failure: unknown
      try {
        // The bytes are copied, because a host of the caller's may keep its own.
        bytes = (await hostReads.for((gone) => readSome(handle, at, length, gone))).slice()
      } catch (error) {
        failure = error
      }
      if (this.#closing) throw closedError(spec.name)
      // If the read took several turns, another writer may have replaced the file meanwhile.
      const certain = bytes && handle.read
      if (spec.readOnly && !certain && (await host.changed?.(this.#open.files)) === 'replaced')
        throw exportEnded(failure)
      if (!bytes) throw storageError(failure, 'the export could not read the store')
      return bytes
    })
  }

  /** Ends the calls that may wait without limit: exports, and calls for changes. */
  endWaits() {
    this.#exports.end()
    this.#feed.end(closedError(this.#open.spec.name))
  }

  close(): Promise<void> {
    // Calls that were accepted before are carried out.
    this.#closing ??= this.#door.passed()?.then(() => this.#close()) ?? this.#close()
    return this.#closing
  }

  async #close() {
    const { spec, host, turns, hostReads } = this.#open
    this.endWaits()
    hostReads.end(closedError(spec.name))
    let failed = await this.#committer.close()
    this.#autoCompaction?.end()
    // Reads that take several turns are accepted work, too.
    await turns.change(() => {})
    this.#reads.close()
    this.#workers?.end()
    await this.#text.end()
    this.#open.free()
    closeHandles(this.#open.files)
    try {
      await host.close()
    } catch (error) {
      failed ??= storageError(error, `the store "${spec.name}" could not be closed in order`)
    }
    this.#ended({ reason: 'closed' })
    if (failed) throw failed
  }
}

/** Does a search, and notes in its answer how long that took. */
function timed(work: () => unknown): unknown {
  const began = performance.now()
  const done = (answer: unknown) => Object.assign(answer as object, { took: performance.now() - began })
  const answer = work()
  return answer instanceof Promise ? answer.then(done) : done(answer)
}

const isReadCall = (call: AnyCall): call is AnyCall<MethodOf<Kind.Read | Kind.Rows>> => isRead(call.method)
const isWriteCall = (call: AnyCall): call is AnyCall<MethodOf<Kind.Write>> => isWrite(call.method)

function recoveryOf({ recovery }: Store): RecoveryReport {
  const { logBytes, logFrames, dataBytes, created, orphanedRows } = JSON.parse(recovery) as {
    logBytes: number
    logFrames: number
    dataBytes: number
    created: boolean
    orphanedRows: number
  }
  return {
    bytes: logBytes + dataBytes,
    frames: logFrames,
    logBytes,
    dataBytes,
    created,
    compacted: false,
    ...(orphanedRows > 0 && { orphanedRows }),
  }
}
