import type { Derived } from '../../contract/derived.js'
import type { TextHost } from '../../engine/text-host.js'
import type { StoreFiles } from '../../types/index.js'
import type { Documents } from '../documents.js'
import type { IndexKeeper, Indexed } from '../index-keeper.js'
import { Pace } from '../pace.js'
import type { TextSaving } from '../text-core.js'
import { encodeContents } from './container.js'
import { loadIndexes } from './loading.js'
import { placeOf } from './place.js'

/** With fewer documents than this, no file is written: it takes less time to read them again. */
const LEAST = 256
/** The file is written again once one in this many documents was read since it was last written. */
const PART = 8
/** `close` does not write a file if the indexes take more bytes than this. */
const MOST_AT_CLOSE = 64 << 20
const PIECE = 1 << 20

/** Keeps the derived file up to date. An opening loads the indexes from it, and need not read all documents. */
export class Saver {
  readonly #host: TextHost
  readonly #derived: Derived
  readonly #documents: Documents
  readonly #keeper: IndexKeeper
  /** The pair to which the file belongs, if there is a file. */
  #files: StoreFiles | undefined
  #saving: Promise<void> | undefined

  constructor(host: TextHost, derived: Derived, documents: Documents, keeper: IndexKeeper) {
    this.#host = host
    this.#derived = derived
    this.#documents = documents
    this.#keeper = keeper
  }

  /** Loads the indexes, if there is a file that fits the store. Otherwise does nothing. */
  async load(between: () => void) {
    try {
      if (await loadIndexes(this.#host, this.#derived, this.#documents, this.#keeper, between))
        this.#files = this.#host.open.files
    } catch {
      // The keeper makes the indexes again. If the store is closed or has failed, the caller finds that out, too.
    }
  }

  /** True while the file is being written. Background work on the indexes would then end the writing. */
  get busy() {
    return this.#saving !== undefined
  }

  /** Returns whether the file should be written or removed. */
  get due(): boolean {
    const { open } = this.#host
    if (open.spec.readOnly || open.failure) return false
    this.#keeper.look()
    const all = [...this.#keeper.used()]
    if (all.length === 0) return this.#files !== undefined
    const documents = all.reduce((sum, { index }) => sum + index.documents, 0)
    const stale = this.#files !== undefined && this.#files !== open.files
    return documents >= LEAST && (stale || this.#keeper.unsaved >= Math.max(LEAST, documents / PART))
  }

  /** Writes the file, if the indexes are up to date. Rejects if the indexes change meanwhile. */
  save(): Promise<void> {
    return (this.#saving ??= this.#save().finally(() => (this.#saving = undefined)))
  }

  /** Waits for a write that is under way. Then writes the file if that is due and the indexes are not too large. */
  async end() {
    await this.#saving?.catch(() => {})
    const bytes = [...this.#keeper.used()].reduce((sum, { index }) => sum + index.bytes, 0)
    if (bytes <= MOST_AT_CLOSE && this.due) await this.save().catch(() => {})
  }

  async #save() {
    const { open } = this.#host
    if (!this.#keeper.current) return
    const all = [...this.#keeper.used()]
    if (all.length === 0) {
      await this.#derived.remove()
      this.#files = undefined
      return
    }
    const place = placeOf(this.#host)
    if (!place) return
    const { files } = open
    const { unsaved } = this.#keeper
    const check = () => {
      if (open.failure) throw open.failure
    }
    const savings: TextSaving[] = []
    try {
      for (const { index } of all) savings.push(index.save(place.log, place.sum))
      const parts = all.map(({ collection, names }, i) => ({ collection, fields: names, bytes: savings[i].length }))
      await this.#derived.write(joined(pieces(encodeContents({ ...place, parts }), all, savings), check))
    } finally {
      for (const saving of savings) saving.free()
    }
    this.#keeper.unsaved -= unsaved
    this.#files = files
  }
}

function* pieces(head: Uint8Array[], all: Indexed[], savings: TextSaving[]): Iterable<Uint8Array> {
  yield* head
  for (const [i, { index }] of all.entries()) for (let piece; (piece = savings[i].next(index));) yield piece
}

/** Joins pieces into larger ones. Lets other work run in between, and then calls `between`. */
async function* joined(pieces: Iterable<Uint8Array>, between: () => void): AsyncIterable<Uint8Array> {
  const pace = new Pace()
  let large = new Uint8Array(PIECE)
  let filled = 0
  for (let piece of pieces) {
    for (;;) {
      const some = piece.subarray(0, PIECE - filled)
      large.set(some, filled)
      filled += some.length
      piece = piece.subarray(some.length)
      if (filled < PIECE) break
      yield large
      large = new Uint8Array(PIECE)
      filled = 0
      await pace.turn(between)
    }
  }
  if (filled > 0) yield large.subarray(0, filled)
}
