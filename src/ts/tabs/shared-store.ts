import { isFeed, type Args, type Method, type Result } from '../contract/calls.js'
import type { Backend, CallOptions, OpenSpec } from '../contract/backend.js'
import { Engine } from '../engine/engine.js'
import { sleep } from '../runtime/schedule.js'
import { newSender } from '../contract/tickets.js'
import { Ledger, type PendingCall } from '../messages/ledger.js'
import { Unflushed } from '../messages/unflushed.js'
import { NidusError, aborted, closedError, failedError } from '../errors/errors.js'
import { hold, holdNow, locks } from '../runtime/web-locks.js'
import { taken, unpackRecovery } from '../messages/answer.js'
import type { CloseReason, RecoveryReport } from '../types/index.js'
import { LeaderConnection } from './follower.js'
import { Leader } from './leader.js'
import { leaderLock, lifeLock } from './locks.js'
import { VERSION, channelName, type TabMessage } from './protocol.js'

/** A leader's last words may come after its successor's first. */
const LAST_WORDS_MS = 50
const TICK_MS = 1000
/** In ticks, not in time: a machine that slept has not waited. */
const NO_WELCOME = 10
const SILENCE = 30
/** Who does not want the answer any more, or asks something new, does not wait so long. */
const QUIET = 3

/** Who has the store: the engine here, or the leader in another tab. */
type Holder = LeaderConnection | Engine

export type OpenStore = (spec: OpenSpec) => Promise<Engine>

/**
 * Where stores are for one opening alone (in memory, read-only) or the browser lacks what it takes, the store itself.
 */
export async function openShared(spec: OpenSpec, openStore: OpenStore, alone = false): Promise<Backend> {
  const able = locks() !== undefined && typeof BroadcastChannel !== 'undefined'
  return spec.storage !== 'memory' && !spec.readOnly && able
    ? SharedStore.open(spec, openStore, alone)
    : openStore(spec)
}

/** Removes a store that nobody has open. */
export async function destroyAlone(name: string, destroy: () => Promise<void>): Promise<void> {
  const release = await holdNow(leaderLock(name))
  if (!release) throw new NidusError('LOCKED', `the store "${name}" is open (here, in another tab or worker)`)
  await destroy().finally(release)
}

/**
 * One opening of a store that other tabs may have open too: it has the store itself (it leads), or speaks to the one
 * that does.
 */
export class SharedStore implements Backend {
  dimension = 0
  storage = ''
  recovery!: RecoveryReport
  readonly closed: Promise<CloseReason>
  onCompactionError?: (error: NidusError) => void
  readonly #spec: OpenSpec
  readonly #openStore: OpenStore
  readonly #id = crypto.randomUUID()
  readonly #channel: BroadcastChannel
  #life = ''
  #ended!: (reason: CloseReason) => void
  #opening: { resolve: () => void; reject: (error: NidusError) => void } | undefined
  #release: () => Promise<void> = async () => {}
  #leader: Leader | undefined
  #engine: Engine | undefined
  #taking: Promise<void> | undefined
  #following: LeaderConnection | undefined
  #joined = false
  readonly #ledger: Ledger<Holder>
  #timer: ReturnType<typeof setInterval> | undefined
  #quiet = 0
  readonly #sender: string
  /** By leaders: what this one had itself it flushes itself. */
  readonly #unflushed: Unflushed
  #failure: NidusError | undefined
  #closing: Promise<void> | undefined
  #gone: Promise<void> | undefined

  /** `alone`: nobody else has it when this begins. */
  static async open(spec: OpenSpec, openStore: OpenStore, alone: boolean): Promise<SharedStore> {
    const member = new SharedStore(spec, openStore)
    try {
      member.#life = await lifeLock()
      await (spec.multiTab && !alone ? member.#share() : member.#keep())
      return member
    } catch (error) {
      await member.#letGo()
      throw error
    }
  }

  private constructor(spec: OpenSpec, openStore: OpenStore) {
    this.#spec = spec
    this.#openStore = openStore
    this.#sender = spec.sender ?? newSender()
    this.#unflushed = new Unflushed(spec)
    this.#ledger = new Ledger(this.#sender, ({ number, sentTo }) => {
      // The engine sees the signal itself.
      if (sentTo instanceof Engine) return false
      sentTo?.cancel(number)
      return true
    })
    this.closed = new Promise((resolve) => (this.#ended = resolve))
    this.#channel = new BroadcastChannel(channelName(spec.name))
    this.#channel.onmessage = ({ data }: MessageEvent<TabMessage>) => this.#hear(data)
  }

  async #keep() {
    const release = await holdNow(leaderLock(this.#spec.name))
    if (!release)
      throw new NidusError('LOCKED', `the store "${this.#spec.name}" is open elsewhere (another tab or worker)`)
    this.#release = release
    await this.#untilOpen(() => void this.#lead())
  }

  async #share() {
    const lock = hold(leaderLock(this.#spec.name))
    this.#release = lock.release
    await this.#untilOpen(() => {
      lock.granted.then(
        () => void this.#lead(),
        (error: unknown) => {
          // Not the promise of `close`: nobody would see that this one rejects as that does.
          if (this.#closing) return
          this.#fail(
            new NidusError('STORAGE_UNAVAILABLE', `Web Locks cannot be used here: ${String(error)}`, { cause: error }),
          )
        },
      )
      this.#ask()
      this.#watch()
    })
  }

  #untilOpen(begin: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject }
      begin()
    })
  }

  #openedAs({ dimension, storage }: { dimension: number; storage: string }, recovery: RecoveryReport) {
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
    this.#watch()
    return call.done
  }

  #send(call: PendingCall<Holder>) {
    if (this.#engine) return this.#sendToEngine(call, this.#engine)
    // What a silent leader is not sent was certainly not made.
    const sends = this.#quiet < QUIET || isFeed(call.method)
    if (this.#joined && this.#following && sends) this.#sendToLeader(call, this.#following)
  }

  #sendToEngine(call: PendingCall<Holder>, engine: Engine) {
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

  #sendToLeader(call: PendingCall<Holder>, leader: LeaderConnection) {
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

  #hear(word: TabMessage) {
    if (this.#failure || (this.#closing && this.#ledger.size === 0)) return
    if (this.#leader) return word.nidus === 'join' ? this.#leader.welcome(word) : undefined
    if (!this.#spec.multiTab || (word.nidus !== 'lead' && !(word.nidus === 'welcome' && word.to === this.#id))) return
    const { name } = this.#spec
    if (word.version !== VERSION) {
      return this.#fail(
        new NidusError(
          'LOCKED',
          `the store "${name}" is open in a tab with another version of nidus-wasm (tabs speak protocol ` +
            `${word.version} there, ${VERSION} here): reload the older one`,
        ),
      )
    }
    if (word.exclusive)
      return this.#fail(
        new NidusError('LOCKED', `the store "${name}" is open in another tab, for that tab alone (multiTab: false)`),
      )
    this.#quiet = 0
    if (this.#following?.leader === word.leader) return
    if (word.nidus === 'welcome' && !this.#following) return void this.#join(word.leader)
    const former = this.#following
    void sleep(LAST_WORDS_MS).then(() => {
      if (former && this.#following === former) this.#lose()
      if (!this.#following && !this.#leader && !this.#gone) this.#ask()
    })
  }

  #ask() {
    this.#channel.postMessage({ nidus: 'join', version: VERSION, id: this.#id, life: this.#life } satisfies TabMessage)
  }

  async #join(leader: string) {
    const following: LeaderConnection = new LeaderConnection(
      this.#spec.name,
      leader,
      this.#id,
      (number, done, total) => this.#ledger.onProgress(number, done, total),
      () => this.#following === following && this.#lose(),
    )
    this.#following = following
    const answer = await following.open(this.#opening ? this.#spec : { ...this.#spec, dimension: this.dimension })
    if (this.#following !== following || 'moved' in answer) return
    try {
      const opened = taken(answer)
      this.#joined = true
      this.#openedAs(opened, unpackRecovery(opened))
      // Before anything new: what the leader before said it had written.
      if (this.#unflushed.last)
        void following
          .call(this.#ledger.next(), 'newest', { sender: this.#sender }, false)
          .then(
            (answer) => this.#following === following && 'ok' in answer && this.#unflushed.found(answer.ok as number),
          )
      this.#sendAll()
    } catch (error) {
      this.#fail(error as NidusError)
    }
  }

  /** Whatever it was asked and has not answered is asked of the next one. */
  #lose() {
    const following = this.#following
    if (!following) return
    this.#following = undefined
    this.#joined = false
    following.close(false)
    this.#ledger.lost(following)
  }

  /** The lock is ours. */
  async #lead() {
    if (this.#following) await sleep(LAST_WORDS_MS)
    if (this.#failure || (this.#closing && this.#ledger.size === 0)) return this.#release()
    this.#lose()
    // A store that this one knew is not to be made anew, empty.
    const spec = this.#opening ? this.#spec : { ...this.#spec, dimension: undefined }
    const opening = this.#openStore(spec)
    this.#leader = new Leader(this.#id, this.#spec, opening, (word) => this.#channel.postMessage(word))
    this.#taking = opening.then(
      async (engine) => {
        if (this.#unflushed.last) this.#unflushed.found(await engine.call('newest', { sender: this.#sender }))
        this.#unflushed.last = 0
        this.#engine = engine
        void engine.closed.then((reason) => reason.reason === 'failed' && void this.#stepDown(reason.error))
        this.#openedAs(engine, engine.recovery)
        engine.onCompactionError = (error) => {
          this.recovery.compactionError = error
          this.onCompactionError?.(error)
        }
        // That of this opening, by one that followed until now.
        if (engine.recovery.compactionError) engine.onCompactionError(engine.recovery.compactionError)
        this.#sendAll()
      },
      (error: NidusError) => void this.#stepDown(error),
    )
  }

  /** Another one may do better: it opens, and so recovers, the store anew. */
  async #stepDown(error: NidusError) {
    this.#fail(error)
    await this.#letGo().catch(() => {})
  }

  #watch() {
    if (this.#timer) return
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    if (this.#quiet >= QUIET) this.#tick()
  }

  #tick() {
    if (this.#leader || (this.#ledger.size === 0 && !this.#opening)) {
      clearInterval(this.#timer)
      this.#timer = undefined
      if (this.#quiet < QUIET) this.#quiet = 0
      return
    }
    const following = this.#following
    if (following)
      following.ping().then(
        () => following === this.#following && this.#heard(),
        () => {},
      )
    else this.#ask()
    const quiet = ++this.#quiet
    const over = quiet >= (this.#opening && !following ? NO_WELCOME : SILENCE)
    if (over) this.#quiet = QUIET
    const silent = (code: 'LOCKED' | 'STORAGE_UNAVAILABLE' | 'OUTCOME_UNKNOWN', more = '') =>
      new NidusError(
        code,
        `the store "${this.#spec.name}" is open in another tab, which does not answer (it may be frozen, or ` +
          `stopped by a debugger)${more}`,
      )
    if (over && this.#opening) return this.#fail(silent('LOCKED'))
    for (const { method, sentTo, ticket, options, reject } of this.#ledger.calls) {
      if (isFeed(method)) continue
      if (!over && !(quiet >= QUIET && options.signal?.aborted)) continue
      // One that was sent is made when that tab goes on, or was made before it stopped.
      if (!ticket || !(sentTo || ticket.again)) reject(silent('STORAGE_UNAVAILABLE'))
      else
        reject(
          silent(
            'OUTCOME_UNKNOWN',
            ': it is not known whether it made the write, or will make it when it goes on. It is made whole or ' +
              'not at all',
          ),
        )
    }
  }

  /** The leader lives. What waited for that is sent, in its order. */
  #heard() {
    this.#quiet = 0
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
    this.#lose()
    for (const { sentTo, ticket, reject } of this.#ledger.calls)
      if (!(sentTo instanceof Engine)) reject(ticket?.again ? lost() : this.#failed())
    this.#ended({ reason: 'failed', error })
    if (!this.#leader) void this.#letGo()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close() {
    await this.#ledger.settled()
    try {
      try {
        // A leader that failed, or does not answer, cannot say it.
        if (this.#unflushed.any) await this.#call('flush', {}, {})
      } finally {
        await this.#letGo()
      }
    } finally {
      this.#ended({ reason: 'closed' })
    }
  }

  /** What followers are owed, the store, the lock, in this order. */
  #letGo(): Promise<void> {
    this.#gone ??= this.#leave()
    return this.#gone
  }

  async #leave() {
    clearInterval(this.#timer)
    try {
      await this.#taking
      this.#engine?.endWaits()
      await this.#leader?.leave()
      await this.#engine?.close()
    } finally {
      this.#leader?.end()
      this.#following?.close(true)
      await this.#release()
      this.#channel.close()
    }
  }
}

const lost = () =>
  new NidusError(
    'OUTCOME_UNKNOWN',
    'the tab that has the store did not say whether it made the write, and the store cannot be opened here: it is ' +
      'in the store whole or not at all',
  )
