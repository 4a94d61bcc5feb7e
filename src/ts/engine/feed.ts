import type { Change, Changes, ChangesArgs } from '../contract/changes.js'
import { newSender } from '../contract/tickets.js'
import { Reader } from '../core/wire.js'
import type { NidusError } from '../errors/errors.js'

/**
 * The most changes, and bytes of their ids, that are kept for slow listeners. If a listener misses changes, the next
 * answer says so.
 */
const MOST = 8192
const MOST_BYTES = 8 * 1024 * 1024

/** A staged write. `from` is the opening that made it. */
export interface Made extends Pick<Change, 'method' | 'collection' | 'count'> {
  readonly from: string | undefined
  ids?: Uint8Array
}

/** An opening of the store that listens for changes. */
interface Listening {
  readonly from: string | undefined
  /** The number of the last change that it got. */
  at: number
  ids: boolean
  /** Its call for changes, while that has no answer. */
  asks?: { resolve(changes: Changes): void; reject(error: NidusError): void } | undefined
}

/** Tells the openings of a store which changes were committed. */
export class Feed {
  #id = ''
  /** The last changes. Some of the openings that listen do not have them yet. */
  #made: Made[] = []
  #bytes = 0
  /** The number of the last change that is visible. */
  #at = 0
  /** The number of the last change that openings may get. */
  #told = 0
  #ended: NidusError | undefined
  readonly #listening = new Map<string | undefined, Listening>()

  /** Adds changes that become visible. `ids` returns the ids of all of them. */
  made(changes: Made[], ids: () => Uint8Array) {
    if (this.#listening.size === 0) return
    this.#forget()
    this.#at += changes.length
    if ([...this.#listening.values()].some(({ ids }) => ids)) {
      try {
        this.#bytes += share(changes, ids())
      } catch {
        // There is no memory for the ids, so openings learn only that they missed changes.
        this.#made = []
        this.#bytes = 0
        return
      }
    }
    for (const change of changes) this.#made.push(change)
  }

  /** Sends all visible changes to the openings that wait. */
  tell() {
    this.#told = this.#at
    for (const own of this.#listening.values()) if (own.asks && own.at < this.#told) this.#answer(own)
  }

  /** Returns the number of the change before the first one that is kept. */
  get #before() {
    return this.#at - this.#made.length
  }

  /** Forgets changes that all openings have, and openings that have not asked for a long time. */
  #forget() {
    if (this.#made.length > MOST || this.#bytes > MOST_BYTES)
      for (const [from, { asks }] of this.#listening) if (!asks) this.#listening.delete(from)
    const had = Math.min(this.#at, ...[...this.#listening.values()].map(({ at }) => at)) - this.#before
    for (const { ids } of this.#made.splice(0, had)) this.#bytes -= ids?.length ?? 0
  }

  ask({ after, ids = false, end }: ChangesArgs, from: string | undefined): Changes | Promise<Changes> {
    if (this.#ended) throw this.#ended
    this.#id ||= newSender()
    const known = this.#listening.get(from)
    if (end || after) this.#settle(known)
    if (end) {
      this.#listening.delete(from)
      return this.#changes()
    }
    const own = known ?? { from, at: this.#at, ids }
    this.#listening.set(from, own)
    if (!after) {
      own.ids ||= ids
      return this.#changes()
    }
    own.ids = ids
    if (!known || after.feed !== this.#id) {
      own.at = this.#at
      return this.#changes([], true)
    }
    own.at = after.at
    return new Promise((resolve, reject) => {
      own.asks = { resolve, reject }
      if (own.at < this.#told) this.#answer(own)
    })
  }

  #changes(changes: Change[] = [], reset = false, at = this.#at): Changes {
    return { changes, reset, next: { feed: this.#id, at } }
  }

  #answer(own: Listening) {
    const before = this.#before
    const reset = own.at < before
    const changes = reset ? [] : this.#made.slice(own.at - before, this.#told - before)
    own.at = this.#told
    this.#settle(
      own,
      changes.map(({ from, ids, ...change }) => ({
        ...change,
        local: from === own.from,
        // Copied, because sending transfers the bytes.
        ids: own.ids ? ids?.slice() : undefined,
      })),
      reset,
    )
  }

  #settle(own: Listening | undefined, changes?: Change[], reset?: boolean) {
    own?.asks?.resolve(this.#changes(changes, reset, own.at))
    if (own) own.asks = undefined
  }

  /** Ends the feed: calls for changes reject with this error. */
  end(error: NidusError) {
    this.#ended = error
    for (const { asks } of this.#listening.values()) asks?.reject(error)
  }
}

/** Gives each change its part of `ids`, in the order of the changes. Returns the number of bytes. */
function share(changes: Made[], ids: Uint8Array): number {
  const reader = new Reader(ids)
  for (const change of changes) {
    const start = reader.at
    for (let i = 0; i < change.count; i++) reader.skip(reader.length())
    change.ids = ids.slice(start, reader.at)
  }
  return reader.at
}
