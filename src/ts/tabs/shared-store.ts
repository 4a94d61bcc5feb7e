import { isFeed, type Args, type Method, type Result } from '../contract/calls.js'
import type { Backend, CallOptions, OpenSpec } from '../contract/backend.js'
import { Engine } from '../engine/engine.js'
import { sleep } from '../runtime/schedule.js'
import { newSender } from '../contract/tickets.js'
import { Ledger, type PendingCall } from '../messages/ledger.js'
import { Unflushed } from '../messages/unflushed.js'
import { NidusError, aborted, closedError, failedError } from '../errors/errors.js'
import { hold, holdNow } from '../runtime/web-locks.js'
import { taken, unpackRecovery } from '../messages/answer.js'
import type { CloseReason, RecoveryReport } from '../types/index.js'
import { leaderSilent, writeUnknown } from './errors.js'
import { LeaderConnection } from './follower.js'
import { Leader } from './leader.js'
import { leaderLock, lifeLock } from './locks.js'
import { VERSION, channelName, lineName, type TabMessage, type TellPage } from './protocol.js'

/** The last messages of a leader may arrive after the first ones of the next leader. */
const LATE_MESSAGES_MS = 50
/** Waits for a leader are counted in ticks and not in time, because a machine may have slept meanwhile. */
const TICK_MS = 1000
/** An opening fails after this many ticks without a leader. */
const OPEN_TICKS = 10
/** Calls fail after this many ticks without an answer of the leader. */
const CALL_TICKS = 30
/** After this many ticks, aborted calls fail and new calls are no longer sent. */
const SILENT_TICKS = 3

/** The receiver of calls: the engine in this tab, or the leader in another one. */
type Receiver = LeaderConnection | Engine

type OpenStore = (spec: OpenSpec) => Promise<Engine>

/**
 * One opening of a store that other tabs may have open, too. The leader has the store's engine. A follower sends its
 * calls to the leader.
 */
export class SharedStore implements Backend {
  dimension = 0
  storage = ''
  recovery!: RecoveryReport
  readonly closed: Promise<CloseReason>
  onCompactionError?: (error: NidusError) => void
  readonly #spec: OpenSpec
  readonly #openStore: OpenStore
  readonly #tellPage: TellPage
  readonly #id = crypto.randomUUID()
  readonly #channel: BroadcastChannel
  #lifeLock = ''
  #resolveClosed!: (reason: CloseReason) => void
  #opening: { resolve: () => void; reject: (error: NidusError) => void } | undefined
  #releaseLock: () => Promise<void> = async () => {}
  #leader: Leader | undefined
  #engine: Engine | undefined
  /** Resolves when this leader has opened its engine, or failed to. */
  #takeOver: Promise<void> | undefined
  /** The connection of a follower. */
  #connection: LeaderConnection | undefined
  /** True once the leader has let this follower open the store. */
  #joined = false
  readonly #ledger: Ledger<Receiver>
  #timer: ReturnType<typeof setInterval> | undefined
  /** The number of ticks since the leader last said something. */
  #silentTicks = 0
  readonly #sender: string
  /** The writes that were sent to leaders and are not flushed. The engine of a leader counts its own. */
  readonly #unflushed: Unflushed
  #failure: NidusError | undefined
  #closing: Promise<void> | undefined
  #leaving: Promise<void> | undefined

  static async open(spec: OpenSpec, openStore: OpenStore, alone: boolean, tellPage: TellPage): Promise<SharedStore> {
    const store = new SharedStore(spec, openStore, tellPage)
    try {
      store.#lifeLock = await lifeLock()
      await (spec.multiTab && !alone ? store.#openWithOthers() : store.#openAlone())
      return store
    } catch (error) {
      await store.#leave()
      throw error
    }
  }

  private constructor(spec: OpenSpec, openStore: OpenStore, tellPage: TellPage) {
    this.#spec = spec
    this.#openStore = openStore
    this.#tellPage = tellPage
    this.#sender = spec.sender ?? newSender()
    this.#unflushed = new Unflushed(spec)
    this.#ledger = new Ledger(this.#sender, ({ number, sentTo }) => {
      // The engine watches the signal itself.
      if (sentTo instanceof Engine) return false
      sentTo?.cancel(number)
      return true
    })
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.#channel = new BroadcastChannel(channelName(spec.name))
    this.#channel.onmessage = ({ data }: MessageEvent<TabMessage>) => this.#onMessage(data)
  }

  async #openAlone() {
    const release = await holdNow(leaderLock(this.#spec.name))
    if (!release)
      throw new NidusError('LOCKED', `the store "${this.#spec.name}" is open in another tab or worker: close it there`)
    this.#releaseLock = release
    await this.#untilOpen(() => void this.#becomeLeader())
  }

  async #openWithOthers() {
    const lock = hold(leaderLock(this.#spec.name))
    this.#releaseLock = lock.release
    await this.#untilOpen(() => {
      lock.granted.then(
        () => void this.#becomeLeader(),
        (error: unknown) => {
          // `close` releases the lock, and the request for it then rejects.
          if (this.#closing) return
          this.#fail(
            new NidusError('STORAGE_UNAVAILABLE', `the browser refuses a Web Lock: ${String(error)}`, { cause: error }),
          )
        },
      )
      this.#findLeader()
      this.#startTimer()
    })
  }

  #untilOpen(begin: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject }
      begin()
    })
  }

  #finishOpening({ dimension, storage }: { dimension: number; storage: string }, recovery: RecoveryReport) {
    if (!this.#opening) return
    this.dimension = dimension
    this.storage = storage
    this.recovery = recovery
    this.#opening.resolve()
    this.#opening = undefined
  }

  call<M extends Method>(method: M, args: Args<M>, options: CallOptions = {}): Promise<Result<M>> {
    if (this.#closing) return Promise.reject(closedError(this.#spec.name))
    return this.#call(method, args, options) as Promise<Result<M>>
  }

  #call(method: Method, args: object, options: CallOptions): Promise<unknown> {
    const { signal } = options
    if (this.#failure) return Promise.reject(this.#failed())
    if (this.#engine && !this.#unflushed.lost) return this.#engine.call(method, args, options)
    if (signal?.aborted && !options.ticket?.again) return Promise.reject(aborted(signal))
    const call = this.#ledger.add(method, args, options)
    this.#send(call)
    this.#startTimer()
    return call.done
  }

  #send(call: PendingCall<Receiver>) {
    if (this.#engine) return this.#sendToEngine(call, this.#engine)
    // A write that is not sent to a silent leader is certainly not made.
    const sends = this.#silentTicks < SILENT_TICKS || isFeed(call.method)
    if (this.#joined && this.#connection && sends) this.#sendToLeader(call, this.#connection)
  }

  #sendToEngine(call: PendingCall<Receiver>, engine: Engine) {
    const { method, args, options, ticket, resolve, reject } = call
    const late = this.#ledger.sent(call, engine)
    const called = engine.call(method, args as never, { ...options, ticket, signal: late ? undefined : options.signal })
    called
      .then((result) => {
        if (method === 'flush') this.#unflushed.answered(method, ticket, result)
        resolve(result)
      })
      .catch(reject)
  }

  #sendToLeader(call: PendingCall<Receiver>, leader: LeaderConnection) {
    const { number, method, args, options, ticket, resolve, reject } = call
    this.#ledger.sent(call, leader)
    leader.call(number, method, args!, options.onProgress !== undefined, ticket).then(
      (answer) => {
        if (call.sentTo !== leader) return
        if ('moved' in answer) return this.#ledger.unsent(call)
        try {
          const result = taken(answer)
          this.#unflushed.answered(method, ticket, result)
          resolve(result)
        } catch (error) {
          reject(error as NidusError)
        }
      },
      () => {},
    )
  }

  #sendAll() {
    for (const call of this.#ledger.waiting) this.#send(call)
  }

  #onMessage(message: TabMessage) {
    if (this.#failure || (this.#closing && this.#ledger.size === 0)) return
    if (this.#leader) return message.nidus === 'join' ? this.#leader.welcome(message) : undefined
    const { name, multiTab } = this.#spec
    if (!multiTab || (message.nidus !== 'lead' && !(message.nidus === 'welcome' && message.to === this.#id))) return
    if (message.version !== VERSION) {
      return this.#fail(
        new NidusError(
          'LOCKED',
          `the store "${name}" is open in a tab with another version of nidus-wasm (its protocol is ` +
            `${message.version}, and ${VERSION} in this tab): reload the older tab`,
        ),
      )
    }
    if (message.exclusive)
      return this.#fail(
        new NidusError('LOCKED', `the store "${name}" is open in another tab with multiTab: false: close it there`),
      )
    this.#silentTicks = 0
    if (this.#connection?.leader === message.leader) return
    if (message.nidus === 'welcome' && !this.#connection) return void this.#join(message.leader)
    const previous = this.#connection
    void sleep(LATE_MESSAGES_MS).then(() => {
      if (previous && this.#connection === previous) this.#disconnect()
      if (!this.#connection && !this.#leader && !this.#leaving) this.#findLeader()
    })
  }

  #findLeader() {
    const message: TabMessage = { nidus: 'join', version: VERSION, id: this.#id, life: this.#lifeLock }
    this.#channel.postMessage(message)
  }

  async #join(leader: string) {
    const connection: LeaderConnection = new LeaderConnection(
      this.#spec.name,
      leader,
      this.#id,
      (number, done, total) => this.#ledger.onProgress(number, done, total),
      () => this.#connection === connection && this.#disconnect(),
    )
    this.#connection = connection
    const answer = await connection.open(this.#opening ? this.#spec : { ...this.#spec, dimension: this.dimension })
    if (this.#connection !== connection || 'moved' in answer) return
    try {
      const opened = taken(answer)
      this.#joined = true
      this.#tellPage(lineName(leader, this.#id))
      this.#finishOpening(opened, unpackRecovery(opened))
      // Asked before any new call: whether the writes that the previous leader acknowledged are in the store.
      if (this.#unflushed.last)
        void connection
          .call(this.#ledger.next(), 'newest', { sender: this.#sender }, false)
          .then(
            (answer) => this.#connection === connection && 'ok' in answer && this.#unflushed.found(answer.ok as number),
          )
      this.#sendAll()
    } catch (error) {
      this.#fail(error as NidusError)
    }
  }

  /** Ends the connection. Calls without an answer are sent to the next leader. */
  #disconnect() {
    const connection = this.#connection
    if (!connection) return
    this.#connection = undefined
    this.#joined = false
    this.#tellPage()
    connection.close(false)
    this.#ledger.lost(connection)
  }

  /** Opens the engine and serves the other tabs. Called once this opening has the leader's lock. */
  async #becomeLeader() {
    if (this.#connection) await sleep(LATE_MESSAGES_MS)
    if (this.#failure || (this.#closing && this.#ledger.size === 0)) return this.#releaseLock()
    this.#disconnect()
    // Without a dimension, a store that was destroyed meanwhile is not created anew.
    const spec = this.#opening ? this.#spec : { ...this.#spec, dimension: undefined }
    const opening = this.#openStore(spec)
    this.#leader = new Leader(
      this.#id,
      this.#spec,
      opening,
      (message) => this.#channel.postMessage(message),
      this.#tellPage,
    )
    this.#takeOver = opening.then(
      async (engine) => {
        if (this.#unflushed.last) this.#unflushed.found(await engine.call('newest', { sender: this.#sender }))
        this.#unflushed.last = 0
        this.#engine = engine
        void engine.closed.then((reason) => reason.reason === 'failed' && void this.#stepDown(reason.error))
        this.#finishOpening(engine, engine.recovery)
        engine.onCompactionError = (error) => {
          this.recovery.compactionError = error
          this.onCompactionError?.(error)
        }
        // The caller of a former follower has not seen the report of this engine.
        if (engine.recovery.compactionError) engine.onCompactionError(engine.recovery.compactionError)
        this.#sendAll()
      },
      (error: NidusError) => void this.#stepDown(error),
    )
  }

  /** Lets another tab lead. It opens the store anew, and so recovers it. */
  async #stepDown(error: NidusError) {
    this.#fail(error)
    await this.#leave().catch(() => {})
  }

  #startTimer() {
    if (this.#timer) return
    this.#timer = setInterval(() => this.#onTick(), TICK_MS)
    if (this.#silentTicks >= SILENT_TICKS) this.#onTick()
  }

  #onTick() {
    if (this.#leader || (this.#ledger.size === 0 && !this.#opening)) {
      clearInterval(this.#timer)
      this.#timer = undefined
      if (this.#silentTicks < SILENT_TICKS) this.#silentTicks = 0
      return
    }
    const connection = this.#connection
    if (connection)
      connection.ping().then(
        () => connection === this.#connection && this.#onPong(),
        () => {},
      )
    else this.#findLeader()
    const silentTicks = ++this.#silentTicks
    const over = silentTicks >= (this.#opening && !connection ? OPEN_TICKS : CALL_TICKS)
    if (over) this.#silentTicks = SILENT_TICKS
    if (over && this.#opening) return this.#fail(leaderSilent('LOCKED', this.#spec.name))
    for (const { method, sentTo, ticket, options, reject } of this.#ledger.calls) {
      if (isFeed(method)) continue
      if (!over && !(silentTicks >= SILENT_TICKS && options.signal?.aborted)) continue
      // A write that was sent may have been made, or may be made when the leader's tab goes on.
      reject(
        leaderSilent(ticket && (sentTo || ticket.again) ? 'OUTCOME_UNKNOWN' : 'STORAGE_UNAVAILABLE', this.#spec.name),
      )
    }
  }

  /** Sends the calls that waited for a sign of life of the leader, in their order. */
  #onPong() {
    this.#silentTicks = 0
    if (this.#joined) this.#sendAll()
  }

  #failed() {
    return failedError(this.#spec.name, this.#failure!)
  }

  #fail(error: NidusError) {
    if (this.#failure) return
    this.#failure = error
    this.#opening?.reject(error)
    this.#opening = undefined
    this.#disconnect()
    for (const { sentTo, ticket, reject } of this.#ledger.calls)
      if (!(sentTo instanceof Engine)) reject(ticket?.again ? writeUnknown() : this.#failed())
    this.#resolveClosed({ reason: 'failed', error })
    if (!this.#leader) void this.#leave()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close() {
    await this.#ledger.settled()
    try {
      try {
        // After a leader failed or fell silent, only a flush can tell whether writes were lost.
        if (this.#unflushed.any) await this.#call('flush', {}, {})
      } finally {
        await this.#leave()
      }
    } finally {
      this.#resolveClosed({ reason: 'closed' })
    }
  }

  /** Ends, in this order: the calls of followers, the engine, the leader's lock. */
  #leave(): Promise<void> {
    this.#leaving ??= this.#leaveOnce()
    return this.#leaving
  }

  async #leaveOnce() {
    clearInterval(this.#timer)
    try {
      await this.#takeOver
      this.#engine?.endWaits()
      await this.#leader?.leave()
      await this.#engine?.close()
    } finally {
      this.#leader?.end()
      this.#connection?.close(true)
      await this.#releaseLock()
      this.#channel.close()
    }
  }
}
