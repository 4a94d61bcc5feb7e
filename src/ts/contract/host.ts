import type { NidusError } from '../errors/errors.js'
import type { StorageHost, StoreFiles } from '../types/index.js'

/** A host of ours can do a little more than the contract asks. */
export interface Host extends StorageHost {
  /** The handles keep no reference to what they are given, so they may see wasm memory itself. */
  readonly lendViews?: boolean
  /** Read-only opens take no lock: what happened to the files while they were read. */
  changed?(files: StoreFiles): Promise<'no' | 'grew' | 'replaced'>
  /** `lenient`: to be salvaged, so a file that is missing reads as an empty one. */
  open(mode: { readOnly: boolean; mustExist: boolean; lenient?: boolean }): Promise<StoreFiles>
  /** This opening is refused: takes back what it made, if that is still empty, and the lock. */
  refused?(): Promise<void>
  /** `toRead`: an import will read all of it back before `promote`. */
  create(toRead?: boolean): Promise<StoreFiles>
  /** In memory alone: of the data its sink keeps only the header, since the core has the rows. */
  readonly rowsInCore?: boolean
  /** The engine's: to be called when the host finds out by itself that the store can no longer be written. */
  onLost?: (error: NidusError) => void
  /**
   * The log names rows that data does not have: the pair that completes another program's half-done compaction, if that
   * is what happened.
   */
  halfCompacted?(files: StoreFiles, readOnly: boolean): Promise<StoreFiles | undefined>
}

/** A host of ours that a user passes has this method: a host for one open store, which is asked for by this name. */
export const SESSION = Symbol.for('nidus-wasm.session')

/** Thrown by a host of ours from `promote`: certainly nothing was promoted. */
export class NotPromoted extends Error {
  constructor(cause: unknown) {
    super('not promoted', { cause })
    this.name = 'NotPromoted'
  }

  /** By name: a host that is an entry of its own has another copy of this class. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === 'NotPromoted'
  }
}
