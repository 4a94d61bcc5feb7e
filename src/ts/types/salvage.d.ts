/// <reference path="./platform.d.ts" />
import type { StorageHost } from './host.js'
import type { StorageKind } from './options.js'
import type { WasmSource } from './segment.js'

export interface SalvageOptions {
  /**
   * The number of numbers in a vector. Needed if the header of the data is damaged. If it is given, the header is not
   * looked at.
   */
  dimension?: number
  /** The kind of storage of both stores, or a host of your own for the damaged one. Default: as in `open`. */
  storage?: StorageKind | StorageHost
  /** The host of the new store. Needed if `storage` is a host of your own. */
  into?: StorageHost
  /** Starts the package's worker. See `OpenOptions.worker`. */
  worker?: (whole: boolean) => Worker
  /**
   * The wasm to use in place of the package's own file: `nidus-wasm/nidus.wasm`. The smaller `nidus-page.wasm` cannot
   * salvage.
   */
  wasm?: WasmSource
}

/** A place in one of the two files of a damaged store. */
export interface SalvagePlace {
  /** The file. Damage is located in the log. Damaged rows in the data are counted, but not located. */
  file: 'log'
  /** Where the place begins in the file, in bytes. */
  offset: number
  /** The length of the place, in bytes. */
  length: number
}

/**
 * A report on what `Nidus.salvage` took into the new store, and on what it could not take. If `bytesSkipped`,
 * `documentsDropped`, `upsertsWithoutRow` and `rowsWithoutName` are 0, it took everything that a store of these files
 * would have.
 */
export interface SalvageReport {
  /** The number of documents in the new store. */
  documents: number
  /** The number of collections in the new store. */
  collections: number
  /**
   * The number of documents that were dropped. The row of such a document does not have length 1, or it belongs to a
   * document that was written later.
   */
  documentsDropped: number
  /**
   * The number of upserts that were skipped because the data does not have their row. If an older version of the
   * document is known, the new store has that version.
   */
  upsertsWithoutRow: number
  /** The number of complete rows in the data of the damaged store. */
  rows: number
  /**
   * The number of these rows that the new store does not have, because no document refers to them. The document was
   * overwritten, deleted or dropped, or it is lost.
   */
  rowsWithoutDocument: number
  /**
   * The number of these rows that no operation in the readable part of the log names. An interrupted write leaves such
   * rows. They also remain if the log lost operations: then only the lost part could tell which documents had these
   * rows.
   */
  rowsWithoutName: number
  /** The number of operations of the log (frames) that were taken. */
  framesTaken: number
  /**
   * The number of operations of the log that were skipped: damaged ones as far as they can be told apart, those of
   * another version, and those of a write that a crash interrupted.
   */
  framesSkipped: number
  /** The number of bytes in both files that were skipped: `logBytesSkipped` and `dataBytesSkipped` together. */
  bytesSkipped: number
  /** The number of bytes of the log from which nothing was taken. */
  logBytesSkipped: number
  /** The number of bytes of an incomplete row at the end of the data. */
  dataBytesSkipped: number
  /** The number of damaged places in the log. */
  damageCount: number
  /** The first 64 damaged places, in the order of the log. */
  damage: SalvagePlace[]
  /**
   * Complete operations that were skipped because another version of nidus wrote them. They are no damage. `frames` is
   * their number, and `places` lists the first 64. Present only if there are any.
   */
  unsupported?: { code: 'UNSUPPORTED_VERSION'; frames: number; places: SalvagePlace[] }
}
