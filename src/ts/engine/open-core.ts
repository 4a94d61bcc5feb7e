import type { OpenSpec } from '../contract/backend.js'
import type { Host } from '../contract/host.js'
import { Rows, type Matching, type Store } from '../core/core.js'
import { deadCore, noteTrap } from '../core/load.js'
import { NidusError, aborted, coreError, failedError, isTrap } from '../errors/errors.js'
import { inSlices } from '../runtime/schedule.js'
import type { StoreFiles } from '../types/index.js'
import { HostReads } from './host-reads.js'
import { Turns, type RowReader } from './rows.js'

/** The core of one open store and its files, as the parts of the engine share them. */
export class OpenCore {
  readonly spec: OpenSpec
  readonly host: Host
  readonly store: Store
  /** The current pair. */
  files: StoreFiles
  /** Rows of the calls that find all rows in memory. */
  readonly rows = new Rows()
  readonly turns = new Turns()
  readonly hostReads = new HostReads()
  readonly reader: RowReader
  failure: NidusError | undefined
  readonly #failed: (failure: NidusError) => void

  constructor(spec: OpenSpec, host: Host, store: Store, files: StoreFiles, failed: (failure: NidusError) => void) {
    this.spec = spec
    this.host = host
    this.store = store
    this.files = files
    this.#failed = failed
    const { hostReads } = this
    this.reader = { dimension: store.dimension, data: () => this.files.data, run: (work) => this.run(work), hostReads }
    host.onLost = (error) => this.fail(error)
  }

  /** Runs a step into the core. All steps go through here, so that every error of the core becomes a NidusError. */
  run<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (isTrap(error)) noteTrap(error)
      const coded = coreError(error)
      if (deadCore() || this.store.failed) this.fail(coded)
      throw coded
    }
  }

  /** Evaluates a filter in slices. Other work runs between the slices, and the signal of the caller is checked. */
  async match(matching: Matching, signal: AbortSignal | undefined) {
    try {
      await inSlices(() => {
        this.check()
        if (signal?.aborted) throw aborted(signal)
        return this.run(() => matching.step(this.store))
      })
    } finally {
      if (!deadCore()) matching.free()
    }
  }

  /** Throws if the store has failed. */
  check() {
    const dead = this.failure ?? deadCore()
    if (dead) throw failedError(this.spec.name, dead)
  }

  /** Makes the store FAILED, so that it takes no more calls. */
  fail(error: unknown) {
    if (this.failure) return
    const failure = error instanceof NidusError ? error : coreError(error)
    this.failure = failure
    if (!deadCore() && !this.store.failed) this.store.fail(failure.message)
    this.#failed(failure)
  }

  free() {
    if (deadCore()) return
    this.rows.free()
    this.store.free()
  }
}
