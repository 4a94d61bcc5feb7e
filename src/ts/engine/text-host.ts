import type { Matching, Store } from '../core/core.js'
import type { OpenCore } from './open-core.js'
import type { SteppedRead } from './steps.js'

/** The parts of an open store that the module of texts uses. */
export interface TextHost {
  readonly store: Store
  readonly open: Pick<OpenCore, 'spec' | 'host' | 'files' | 'hostReads' | 'failure'>
  /** Runs a step into the core. An error of the core becomes a NidusError. */
  run<T>(work: () => T): T
  /** Throws if the store is closed or has failed. */
  check(): void
  /** Evaluates a filter in slices. */
  match(matching: Matching, signal: AbortSignal | undefined): Promise<void>
  /** Takes all steps of a read. */
  toTheEnd<R>(read: SteppedRead<R>, signal: AbortSignal | undefined): R | Promise<R>
  /** Runs a read that takes several turns of the event loop. No change takes effect meanwhile. */
  reading<T>(work: () => Promise<T>): Promise<T>
}
