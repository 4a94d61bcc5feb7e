import type { Answer } from '../messages/answer.js'
import type { PendingCall } from '../messages/ledger.js'
import type { rpcWith, Rpc } from '../messages/rpc.js'
import type { LeaderSide } from '../tabs/protocol.js'
import { addressOf } from './address-of.js'
import type { Plug } from './switchboard.js'

/** After this time without an answer a read is sent to this page's worker, which knows what to do with a silent leader. */
const LATE_MS = 1000

type Ask = () => Promise<Answer<unknown>>

/**
 * Sends the reads of a follower from its page to the worker of the leader, by a message port of their own. Otherwise
 * they go through the follower's worker and a broadcast channel, there and back, which takes twice as long. A read
 * changes nothing, so one that gets no answer is sent in the other way, too, and the first answer counts.
 */
export class DirectReads {
  readonly #start: () => Worker
  readonly #connect: typeof rpcWith
  #port: MessagePort | undefined
  /** Undefined until the leader's worker has answered by the port. */
  #leader: Rpc<LeaderSide> | undefined
  /** True while the last answer is late. */
  #late = false
  readonly #unanswered = new Set<() => void>()

  /** @param start starts this page's worker. The same script is the switchboard. */
  constructor(start: () => Worker, connect: typeof rpcWith) {
    this.#start = start
    this.#connect = connect
  }

  /** Plugs in the port of this tab's leading worker, or gets one to the leader, or, without arguments, does neither. */
  change(leader?: string, follower?: string, port?: MessagePort) {
    this.end()
    if (!leader) return
    const plug = (port: MessagePort) => this.#plugIn({ leader, follower }, port)
    if (port) return plug(port)
    const { port1, port2 } = new MessageChannel()
    if (!plug(port2)) return
    this.#port = port1
    const rpc = this.#connect<LeaderSide>(port1, {})
    port1.start()
    rpc.ask('ping').then(
      () => {
        if (this.#port === port1) this.#leader = rpc
      },
      () => {},
    )
  }

  /** Returns false if this page cannot share a worker with other tabs. */
  #plugIn(plug: Plug, port: MessagePort): boolean {
    const script = addressOf(this.#start)
    // Each page has its own address of a blob.
    if (!globalThis.SharedWorker || !script || script.address.protocol === 'blob:') return false
    // Not kept: it may have ended with the process of another tab, and then this starts it again.
    const { port: switchboard } = new SharedWorker(script.address, { ...script.options, name: 'nidus-wasm' })
    switchboard.postMessage(plug, [port])
    return true
  }

  /** Makes a read. Returns undefined if it must be made with `ask`, in the other way. */
  ask({ number, method, args, options }: PendingCall<unknown>, ask: Ask): ReturnType<Ask> | undefined {
    const leader = this.#leader
    if (!leader || this.#late || method === 'changes' || options.onProgress) return undefined
    return new Promise((resolve, reject) => {
      const answered = () => {
        clearTimeout(timer)
        return this.#unanswered.delete(again)
      }
      const again = () => {
        if (answered() && !options.signal?.aborted) ask().then(resolve, reject)
      }
      const timer = setTimeout(() => {
        this.#late = true
        again()
      }, LATE_MS)
      this.#unanswered.add(again)
      // The follower's worker uses the positive numbers.
      leader.ask('call', -number, method, args!, false, undefined).then((answer) => {
        if (this.#leader === leader) this.#late = false
        if ('moved' in answer) return again()
        answered()
        resolve(answer)
      }, again)
    })
  }

  cancel(number: number) {
    this.#leader?.tell('cancel', -number)
  }

  /** Ends the connection to the leader. Reads without an answer are sent in the other way. */
  end() {
    this.#port?.close()
    this.#port = this.#leader = undefined
    this.#late = false
    for (const again of this.#unanswered) again()
  }
}
