import type { Derived } from '../../contract/derived.js'
import type { TextHost } from '../../engine/text-host.js'
import type { StoreFiles } from '../../types/index.js'
import type { Documents } from '../documents.js'
import type { Follower, Indexed } from '../follower.js'
import { Pace } from '../pace.js'
import type { TextSaving } from '../text-core.js'
import { encodeContents } from './container.js'
import { loadIndexes } from './loading.js'
import { placeOf } from './place.js'

/** Fewer documents are read again in less time than it takes to look after a file. */
const LEAST = 256
/** The file is written again when so many documents were read since, as a part of all. */
const PART = 8
/** `close` writes no larger file. */
const MOST_AT_CLOSE = 64 << 20
const PIECE = 1 << 20

/** Keeps a file of the indexes beside the pair, from which an opening makes them without reading all documents. */
export class Saver {
  readonly #host: TextHost
  readonly #derived: Derived
  readonly #documents: Documents
  readonly #follower: Follower
  /** The pair to which the file belongs, if there is a file. */
  #files: StoreFiles | undefined
  #saving: Promise<void> | undefined

  constructor(host: TextHost, derived: Derived, documents: Documents, follower: Follower) {
    this.#host = host
    this.#derived = derived
    this.#documents = documents
    this.#follower = follower
  }

  /** Loads the indexes, if there is a file that fits. Otherwise nothing happens. */
  async load(between: () => void) {
    try {
      if (await loadIndexes(this.#host, this.#derived, this.#documents, this.#follower, between))
        this.#files = this.#host.open.files
    } catch {
      // The indexes are made again. If there is nothing to go on for, the caller finds that out, too.
    }
  }

  /** While this is true, background work would undo what is being done. */
  get busy() {
    return this.#saving !== undefined
  }

  /** Whether the file should be written, or removed. */
  get due(): boolean {
    const { open } = this.#host
    if (open.spec.readOnly || open.failure) return false
    this.#follower.look()
    const all = [...this.#follower.used()]
    if (all.length === 0) return this.#files !== undefined
    const documents = all.reduce((sum, { index }) => sum + index.documents, 0)
    const stale = this.#files !== undefined && this.#files !== open.files
    return documents >= LEAST && (stale || this.#follower.unsaved >= Math.max(LEAST, documents / PART))
  }

  /** Writes the file, if the indexes are as the store is. Rejects if the indexes change meanwhile. */
  save(): Promise<void> {
    return (this.#saving ??= this.#save().finally(() => (this.#saving = undefined)))
  }

  /** Waits for what is being written, and writes what is due, if that is soon done. */
  async end() {
    await this.#saving?.catch(() => {})
    const bytes = [...this.#follower.used()].reduce((sum, { index }) => sum + index.bytes, 0)
    if (bytes <= MOST_AT_CLOSE && this.due) await this.save().catch(() => {})
  }

  async #save() {
    const { open } = this.#host
    if (!this.#follower.current) return
    const all = [...this.#follower.used()]
    if (all.length === 0) {
      await this.#derived.remove()
      this.#files = undefined
      return
    }
    const place = placeOf(this.#host)
    if (!place) return
    const { files } = open
    const { unsaved } = this.#follower
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
    this.#follower.unsaved -= unsaved
    this.#files = files
  }
}

function* pieces(head: Uint8Array[], all: Indexed[], savings: TextSaving[]): Iterable<Uint8Array> {
  yield* head
  for (const [i, { index }] of all.entries()) for (let piece; (piece = savings[i].next(index));) yield piece
}

/** Puts pieces together to larger ones. Lets everything else have its turn meanwhile. */
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
