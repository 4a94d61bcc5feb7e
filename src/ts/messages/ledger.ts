import type { CallOptions } from '../contract/backend.js'
import { isRead, isWrite, type Method } from '../contract/calls.js'
import type { Ticket } from '../contract/tickets.js'
import { aborted, type NidusError } from '../errors/errors.js'
import { onAbort } from '../runtime/signals.js'

/** A call that has no answer yet. `To` is whoever it is sent to: a worker, a leader, an engine. */
export interface PendingCall<To> {
  readonly number: number
  readonly method: Method
  /** Undefined once they were given away. */
  args: object | undefined
  readonly options: CallOptions
  /** Only writes have one. */
  readonly ticket: Ticket | undefined
  /** Undefined while the call waits for somebody to be sent to. */
  sentTo: To | undefined
  readonly done: Promise<unknown>
  resolve(value: unknown): void
  reject(error: NidusError): void
}

/**
 * The calls of one opening that have no answer yet, in their order. Whoever has the store may go, and another one is
 * asked then: a write keeps its ticket, so that it is made once.
 */
export class Ledger<To> {
  readonly #sender: string | undefined
  readonly #cancel: (call: PendingCall<To>) => boolean
  readonly #calls = new Map<number, PendingCall<To>>()
  #count = 0

  /**
   * @param sender whose tickets its writes have; undefined: they have none of their own
   * @param cancel tells whoever has the call that it was aborted; false: they see the signal themselves
   */
  constructor(sender: string | undefined, cancel: (call: PendingCall<To>) => boolean) {
    this.#sender = sender
    this.#cancel = cancel
  }

  get size(): number {
    return this.#calls.size
  }

  get calls(): IterableIterator<PendingCall<To>> {
    return this.#calls.values()
  }

  get waiting(): PendingCall<To>[] {
    return [...this.calls].filter(({ sentTo }) => !sentTo)
  }

  /** A number that no other call has. */
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
    // Whether a write was still in time only whoever has it can tell.
    if (isRead(call.method) || (!call.sentTo && !call.ticket?.again)) call.reject(aborted(signal))
  }

  /**
   * Notes who is asked. Returns true if the call was aborted before and is asked again only to learn what became of it.
   */
  sent(call: PendingCall<To>, to: To): boolean {
    const { ticket, options } = call
    call.sentTo = to
    const late = !!ticket?.again && options.signal?.aborted === true
    if (late) ticket.again = 2
    return late
  }

  /** The call comes again, with somebody else. */
  unsent(call: PendingCall<To>) {
    call.sentTo = undefined
    if (call.ticket) call.ticket.again = Math.max(call.ticket.again, call.args ? 1 : 2)
  }

  /** All that `to` has not answered comes again, with somebody else. */
  lost(to: To) {
    for (const call of this.calls) if (call.sentTo === to) this.unsent(call)
  }

  onProgress(number: number, done: number, total: number) {
    this.#calls.get(number)?.options.onProgress?.(done, total)
  }

  /** Resolves once every call of now has its answer. */
  settled(): Promise<unknown> {
    return Promise.allSettled([...this.calls].map(({ done }) => done))
  }
}
