import type { Args, Method } from '../contract/calls.js'
import type { Answer } from '../messages/answer.js'
import type { PendingCall } from '../messages/ledger.js'
import type { rpcWith, Rpc } from '../messages/rpc.js'
import type { LeaderSide } from '../tabs/protocol.js'
import { addressOf } from './address-of.js'

/** After this time without an answer, this page's worker is asked whether the leader answers at all. */
const LATE_MS = 1000
/** If it does, and this time later the read still has no answer, the port has lost it. */
const LOST_MS = 5000

/** Makes a call through this page's worker. */
type Ask = <M extends Method>(method: M, args: Args<M>) => Promise<Answer<unknown>>

/**
 * Sends the reads of a follower from its page to the worker of the leader, by a message port. Otherwise they go through
 * the follower's worker and a broadcast channel, there and back, which takes twice as long.
 */
export class DirectReads {
  readonly #start: (whole: boolean) => Worker
  readonly #connect: typeof rpcWith
  /** What this page wants from the switchboard, or has got. */
  #line: string | undefined
  #port: MessagePort | undefined
  #leader: Rpc<LeaderSide> | undefined
  /** Ports of the shared worker that are in use. */
  readonly #plugged = new Set<MessagePort>()
  /** For each read without an answer, what sends it through this page's worker. */
  readonly #unanswered = new Set<() => void>()

  /** @param start starts a worker of the package. The script of the small one is the switchboard, too. */
  constructor(start: (whole: boolean) => Worker, connect: typeof rpcWith) {
    this.#start = start
    this.#connect = connect
  }

  /** Passes the port of a leading worker on to a follower's page, or gets one from the leader, or ends that. */
  change(line?: string, port?: MessagePort) {
    // A leader has one line for each follower, and reads from none.
    if (line && port)
      return this.#plug((switchboard) => {
        switchboard.postMessage(line, [port])
        this.#unplug(switchboard)
      })
    this.end()
    this.#line = line
    if (!line) return
    this.#plug((switchboard) => {
      switchboard.onmessage = ({ ports: [port] }: MessageEvent) => {
        this.#unplug(switchboard)
        if (this.#line !== line) return port.close()
        this.#leader = this.#connect(port, {})
        this.#port = port
        port.start()
      }
      switchboard.postMessage(line)
    })
  }

  /** Calls `use` once the switchboard runs. Does nothing if this page cannot share a worker with other tabs. */
  #plug(use: (switchboard: MessagePort) => void, whole = false) {
    const script = addressOf(() => this.#start(whole))
    if (!globalThis.SharedWorker || !script) return
    const { address, options } = script
    // Each page has its own address of a blob.
    if (address.protocol === 'blob:' || address.origin !== self.origin) return
    // Not kept: it may end with the process of another tab. Then this starts it again.
    const shared = new SharedWorker(address, { ...options, name: 'nidus-wasm' })
    this.#plugged.add(shared.port)
    // The small worker's file may be missing.
    shared.onerror = () => {
      if (this.#unplug(shared.port) && !whole) this.#plug(use, true)
    }
    shared.port.onmessage = () => {
      shared.onerror = null
      use(shared.port)
    }
  }

  #unplug(port: MessagePort) {
    port.close()
    return this.#plugged.delete(port)
  }

  /** Makes a read. Returns undefined if it must be made with `ask`. */
  ask({ number, method, args, options }: PendingCall<unknown>, ask: Ask): Promise<Answer<unknown>> | undefined {
    const leader = this.#leader
    if (!leader || method === 'changes' || options.onProgress) return undefined
    return new Promise((resolve, reject) => {
      const answered = () => {
        clearTimeout(timer)
        return this.#unanswered.delete(again)
      }
      const again = () => {
        if (answered() && !options.signal?.aborted) ask(method, args as never).then(resolve, reject)
      }
      // A busy leader is waited for. A silent one is an error, which this page's worker knows to tell.
      const late = async () => {
        const probe = await ask('newest', { sender: '' })
        if (!this.#unanswered.has(again)) return
        if ('error' in probe) {
          answered()
          return resolve(probe)
        }
        timer = setTimeout(() => this.end(), LOST_MS)
      }
      let timer = setTimeout(() => void late().catch(again), LATE_MS)
      this.#unanswered.add(again)
      // This page's worker uses the positive numbers.
      leader.ask('call', -number, method, args!, false, undefined).then((answer) => {
        if ('moved' in answer) return again()
        answered()
        resolve(answer)
      }, again)
    })
  }

  cancel(number: number) {
    this.#leader?.tell('cancel', -number)
  }

  /** Ends the connection to the leader. Reads without an answer are sent through this page's worker. */
  end() {
    // Chromium drops a page from its back/forward cache if a shared worker sends it a message.
    this.#plugged.forEach((port) => this.#unplug(port))
    this.#port?.close()
    this.#port = this.#leader = this.#line = undefined
    for (const again of this.#unanswered) again()
  }
}
