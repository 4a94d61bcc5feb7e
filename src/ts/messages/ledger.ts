import type { CallOptions } from '../contract/backend.js'
import { isFeed, isRead, isWrite, type Method } from '../contract/calls.js'
import type { Ticket } from '../contract/tickets.js'
import { aborted, type NidusError } from '../errors/errors.js'
import { onAbort } from '../runtime/signals.js'

/** A call that has no answer yet. `To` is the type of its receiver: a worker, a leader or an engine. */
export interface PendingCall<To> {
  readonly number: number
  readonly method: Method
  /** Undefined once they have been transferred to the receiver. */
  args: object | undefined
  readonly options: CallOptions
  /** Only writes have one. */
  readonly ticket: Ticket | undefined
  /** Undefined while there is no receiver. */
  sentTo: To | undefined
  readonly done: Promise<unknown>
  resolve(value: unknown): void
  reject(error: NidusError): void
}

/**
 * The calls of one opening that have no answer yet, in their order. If the receiver ends, they are sent to the next
 * one. A write keeps its ticket then, so that it is made once.
 */
export class Ledger<To> {
  readonly #sender: string | undefined
  readonly #cancel: (call: PendingCall<To>) => boolean
  readonly #calls = new Map<number, PendingCall<To>>()
  #count = 0

  /**
   * @param sender the sender in the tickets of its writes; undefined: it makes no tickets
   * @param cancel tells the receiver that the call was aborted; returns false if the receiver watches the signal itself
   */
  constructor(sender: string | undefined, cancel: (call: PendingCall<To>) => boolean) {
    this.#sender = sender
    this.#cancel = cancel
  }

  /** The number of calls that are waited for. */
  get size(): number {
    return this.#waitedFor().length
  }

  #waitedFor() {
    return [...this.calls].filter(({ method }) => !isFeed(method))
  }

  get calls(): IterableIterator<PendingCall<To>> {
    return this.#calls.values()
  }

  get waiting(): PendingCall<To>[] {
    return [...this.calls].filter(({ sentTo }) => !sentTo)
  }

  /** Returns a number that no other call has. */
  next(): number {
    return ++this.#count
  }

  add(method: Method, args: object, options: CallOptions): PendingCall<To> {
    const number = this.next()
    const { signal } = options
    let settle!: Pick<PendingCall<To>, 'resolve' | 'reject'>
    let forget = () => {}
    const done = new Promise<unknown>((resolve, reject) => (settle = { resolve, reject })).finally(() => {
      this.#calls.delete(number)
      forget()
    })
    const call: PendingCall<To> = {
      number,
      method,
      args,
      options,
      ticket: this.#ticket(number, method, options),
      sentTo: undefined,
      done,
      ...settle,
    }
    this.#calls.set(number, call)
    if (signal) forget = onAbort(signal, () => this.#abort(call, signal))
    return call
  }

  #ticket(number: number, method: Method, { ticket }: CallOptions): Ticket | undefined {
    if (!isWrite(method)) return undefined
    if (ticket || !this.#sender) return ticket
    const [floor = number] = this.#calls.keys()
    return { sender: this.#sender, number, floor, again: 0 }
  }

  #abort(call: PendingCall<To>, signal: AbortSignal) {
    if (!this.#cancel(call)) return
    // Only the receiver of a write knows whether the abort came in time.
    if (isRead(call.method) || (!call.sentTo && !call.ticket?.again)) call.reject(aborted(signal))
  }

  /**
   * Notes the receiver of the call. Returns true if the call was aborted before, and is only sent again to learn
   * whether it was made.
   */
  sent(call: PendingCall<To>, to: To): boolean {
    const { ticket, options } = call
    call.sentTo = to
    const late = !!ticket?.again && options.signal?.aborted === true
    if (late) ticket.again = 2
    return late
  }

  /** Notes that the call must be sent again, to another receiver. */
  unsent(call: PendingCall<To>) {
    call.sentTo = undefined
    if (call.ticket) call.ticket.again = Math.max(call.ticket.again, call.args ? 1 : 2)
  }

  /** Notes that all calls without an answer from `to` must be sent again, to another receiver. */
  lost(to: To) {
    for (const call of this.calls) if (call.sentTo === to) this.unsent(call)
  }

  onProgress(number: number, done: number, total: number) {
    this.#calls.get(number)?.options.onProgress?.(done, total)
  }

  /** Resolves once every call that is waited for now has its answer. */
  settled(): Promise<unknown> {
    return Promise.allSettled(this.#waitedFor().map(({ done }) => done))
  }
}
