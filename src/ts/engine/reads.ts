import { aborted, closedError } from '../errors/errors.js'
import type { MethodOf, Kind } from '../contract/calls.js'
import { dueTurn } from '../runtime/schedule.js'
import type { Coder } from './coder.js'
import { beginRead, matchingOf, rowReads, runRead, type AnyCall } from './core-calls.js'
import type { OpenCore } from './open-core.js'
import type { SearchWorkers } from './search-workers.js'
import { toTheEnd } from './steps.js'

type Read = AnyCall<MethodOf<Kind.Read | Kind.Rows>>
const readsRows = (call: Read): call is AnyCall<MethodOf<Kind.Rows>> => Object.hasOwn(rowReads, call.method)

/**
 * Answers reads, if possible within the call. A read takes several turns of the event loop if timers wait, if its
 * filter takes long, if rows can only be read asynchronously, or if search workers have a share of the rows.
 */
export class Reads {
  readonly #open: OpenCore
  readonly #coder: Coder
  readonly #workers: () => SearchWorkers | undefined
  #closed = false

  constructor(open: OpenCore, coder: Coder, workers: () => SearchWorkers | undefined) {
    this.#open = open
    this.#coder = coder
    this.#workers = workers
  }

  /** Refuses all reads that have not begun. */
  close() {
    this.#closed = true
  }

  read(call: Read, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted) throw aborted(signal)
    const open = this.#open
    const numbers = call.method === 'search' ? open.files.data.getSize() / 4 : open.store.dimension
    let due = dueTurn(numbers)
    const together = call.method === 'search' && this.#workers()?.share === true
    const takesTurns = together || (readsRows(call) && open.spec.compactMemory && !open.files.data.read)
    const matching = open.run(() => matchingOf(open.store, call))
    if (!due && !takesTurns && !matching) return this.#answer(call)
    const wait = signal && ((gate: Promise<void>) => open.hostReads.for(() => gate, signal))
    return open.turns.read(async () => {
      for (; due; due = dueTurn(0)) await due
      if (this.#closed) throw closedError(open.spec.name)
      if (signal?.aborted) throw aborted(signal)
      open.check()
      if (matching) await open.match(matching, signal)
      return this.#answer(call, signal)
    }, wait)
  }

  #answer(call: Read, signal?: AbortSignal): unknown {
    const open = this.#open
    if (!readsRows(call)) return open.run(() => runRead(open.store, call))
    const alone = () => {
      const read = open.run(() => beginRead(open.store, call))
      return toTheEnd(open, read, signal)
    }
    if (call.method !== 'search') return alone()
    const { args } = call
    const workers = this.#workers()
    const search = () => (workers?.share ? workers.search(args, alone) : alone())
    return this.#coder.search(args.queries.length / open.store.dimension, search)
  }
}
