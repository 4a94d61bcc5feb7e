import { Segment as CoreSegment, type CoreHandle } from '../core/core.js'
import { NidusError, coreError, invalid, isTrap, storageError } from '../errors/errors.js'
import { captureQuery, checkCount, checkMinScore, checkTopK } from '../arguments/input.js'
import { SEGMENT, SEGMENT_SEARCH } from '../arguments/keys.js'
import { checkDimension, checkOptions, checkWasm } from '../arguments/options.js'
import type { SegmentHit, SyncAccessHandle, WasmSource } from '../types/segment.js'
import { configureRuntime, type Runtime } from '../runtime/configure.js'
import { coreLoaded, deadCore, loadCore, noteTrap } from '../core/load.js'
import { needWhole } from '../core/whole.js'
import { describe } from '../core/wire.js'

/** Returns the `init` of one runtime. Entries export it, so that no bundler drops this call. */
export function initWith(parts: Partial<Runtime>) {
  configureRuntime(parts)
  return async (wasm?: WasmSource): Promise<void> => {
    // Checked also if the wasm is loaded already.
    checkWasm(wasm)
    await loadCore(wasm)
    needWhole('a segment')
  }
}

function run<T>(work: () => T): T {
  if (!coreLoaded()) throw invalid('call and await init() before the first Segment')
  const dead = deadCore()
  if (dead) throw dead
  try {
    return work()
  } catch (error) {
    if (isTrap(error)) noteTrap(error)
    throw coreError(error)
  }
}

function checkSink(sink: SyncAccessHandle): CoreHandle {
  for (const method of ['read', 'write', 'truncate', 'flush', 'getSize', 'close'] as const) {
    if (typeof sink?.[method] !== 'function') throw invalid(`a segment's sink needs a method ${method}`)
  }
  return sink
}

function closeSink(sink: SyncAccessHandle | undefined) {
  try {
    sink?.close()
  } catch (error) {
    throw storageError(error, "the segment's sink could not be closed")
  }
}

declare const FileSystemSyncAccessHandle: (new () => unknown) | undefined
/** Returns whether the sink is the browser's own handle, which keeps no reference to the arrays that it is given. */
const isRealHandle = (sink: unknown) =>
  typeof FileSystemSyncAccessHandle !== 'undefined' && sink instanceof FileSystemSyncAccessHandle

/** The key of the method that returns a segment's state. See `BACKEND` in `reads.ts`. */
const STATE = Symbol()
type State = { core: CoreSegment | undefined; sink: SyncAccessHandle | undefined }

function runIn<T>(segment: Segment, work: (core: CoreSegment) => T): T {
  const { core } = segment[STATE]()
  if (!core) throw new NidusError('CLOSED', 'the segment is closed')
  return run(() => work(core))
}

function checkRows(vectors: unknown, dimension: number): Float32Array {
  if (Object.prototype.toString.call(vectors) !== '[object Float32Array]')
    throw invalid(`vectors must be a Float32Array, not ${describe(vectors)}`)
  const rows = vectors as Float32Array
  if (rows.length % dimension !== 0) {
    throw new NidusError(
      'DIMENSION_MISMATCH',
      `vectors has ${rows.length} numbers, which is no multiple of ${dimension}`,
    )
  }
  return rows
}

export class Segment {
  readonly dimension: number
  /** @internal */
  declare readonly [STATE]: () => State

  static open(sink: SyncAccessHandle, options: { dimension: number }): Segment {
    const handle = checkSink(sink)
    const dimension = checkDimension(checkOptions(options, SEGMENT, 'Segment.open').dimension)
    return new Segment(
      run(() => CoreSegment.open(handle, dimension, isRealHandle(sink))),
      sink,
    )
  }

  static inMemory(dimension: number): Segment {
    const checked = checkDimension(dimension)
    return new Segment(
      run(() => CoreSegment.inMemory(checked)),
      undefined,
    )
  }

  private constructor(core: CoreSegment, sink: SyncAccessHandle | undefined) {
    const state: State = { core, sink }
    Object.defineProperty(this, STATE, { value: () => state })
    this.dimension = core.dimension
  }

  get rowCount(): number {
    return runIn(this, (core) => core.rowCount)
  }

  append(vectors: Float32Array): number {
    const rows = checkRows(vectors, this.dimension)
    return runIn(this, (core) => core.append(rows))
  }

  row(i: number): Float32Array {
    const index = checkCount(i, 'a row')
    return runIn(this, (core) => {
      if (index >= core.rowCount) throw invalid(`there is no row ${index}: the segment has ${core.rowCount}`)
      return core.row(index)
    })
  }

  search(query: Float32Array, options?: { topK?: number; minScore?: number }): SegmentHit[] {
    const captured = captureQuery(query, this.dimension)
    const { topK, minScore } = checkOptions(options ?? undefined, SEGMENT_SEARCH, 'Segment.search')
    const [most, least] = [checkTopK(topK), checkMinScore(minScore)]
    return runIn(this, (core) => {
      const hits = core.search(captured, most, least)
      try {
        const { rows, scores } = hits
        return Array.from(rows, (row, i) => ({ row, score: scores[i] }))
      } finally {
        hits.free()
      }
    })
  }

  truncateTo(rows: number): void {
    const count = checkCount(rows, 'the number of rows')
    runIn(this, (core) => core.truncateTo(count))
  }

  sync(): void {
    runIn(this, (core) => core.sync())
  }

  rewriteTo(sink: SyncAccessHandle, rows: Float32Array): void {
    const handle = checkSink(sink)
    const checked = checkRows(rows, this.dimension)
    runIn(this, (core) => core.rewriteTo(handle, checked, isRealHandle(sink)))
    const state = this[STATE]()
    const old = state.sink
    state.sink = sink
    if (old !== sink) closeSink(old)
  }

  close(): void {
    const state = this[STATE]()
    const { core } = state
    if (!core) return
    state.core = undefined
    if (!deadCore()) core.free()
    closeSink(state.sink)
  }
}
