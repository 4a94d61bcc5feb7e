import type { Derived } from './derived.js'
import type { NidusError } from '../errors/errors.js'
import type { StorageHost, StoreFiles } from '../types/index.js'

/** A host of this package. It can do a little more than the contract for hosts demands. */
export interface Host extends Omit<StorageHost, 'destroy'> {
  /** Missing in hosts of browsers: there `destroy` of the kind of storage removes a store. */
  destroy?(): Promise<void>
  /** True if the handles keep no reference to the bytes that they are given. They may then see wasm memory itself. */
  readonly lendViews?: boolean
  /** Tells what happened to the files while they were read: a read-only open takes no lock. */
  changed?(files: StoreFiles): Promise<'no' | 'grew' | 'replaced'>
  /** `lenient` is for a salvage: a file that is missing is read as an empty one. */
  open(mode: { readOnly: boolean; mustExist: boolean; lenient?: boolean }): Promise<StoreFiles>
  /** Undoes an opening that is refused: removes what it made, if that is still empty, and releases the lock. */
  refused?(): Promise<void>
  /** A write begins. If `commit` follows it, it is given what this returns. */
  begin?(): Promise<boolean>
  commit(begun?: Promise<boolean>): Promise<void>
  /** `toRead`: an import will read the whole pair back before `promote`. */
  create(toRead?: boolean): Promise<StoreFiles>
  /** The place of the derived file, which has the indexes of words. */
  readonly derived?: Derived
  /**
   * The value from which the module of texts makes a `Derived`. So only a page that searches for words downloads that
   * code.
   */
  readonly inside?: unknown
  /** True for the storage `memory`: its sink keeps only the header of the data, since the core has the rows. */
  readonly rowsInCore?: boolean
  /** Set by the engine. The host calls it when it finds out by itself that the store can no longer be written. */
  onLost?: (error: NidusError) => void
  /**
   * Called when the log names rows that the data does not have. Returns the right pair of files if another program was
   * interrupted in a compaction.
   */
  halfCompacted?(files: StoreFiles, readOnly: boolean): Promise<StoreFiles | undefined>
}

/** A host that removes its store itself. */
export type OwnHost = Host & Pick<StorageHost, 'destroy'>

/** The name of the method by which a host of this package that a user passes makes a host for one open store. */
export const SESSION = Symbol.for('nidus-wasm.session')

/** Thrown by `promote` of a host of this package if certainly nothing was promoted. */
export class NotPromoted extends Error {
  constructor(cause: unknown) {
    super('not promoted', { cause })
    this.name = 'NotPromoted'
  }

  /** Compares names, because a host that has its own entry has another copy of this class. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === 'NotPromoted'
  }
}
