import type { Backend, CallOptions, Calls, Method, OpenSpec } from '../engine/backend.js'
import { isRead, isWrite } from '../engine/methods.js'
import { Engine } from '../engine/engine.js'
import { onAbort } from '../engine/queue.js'
import { sleep } from '../engine/schedule.js'
import { Owed, newSender, type Ticket } from '../engine/tickets.js'
import { NidusError, aborted, closedError, failedError } from '../errors.js'
import { hold, holdNow, locks } from '../hosts/web-locks.js'
import { taken, unpackRecovery } from '../rpc/answer.js'
import type { CloseReason, RecoveryReport } from '../types/index.js'
import { Following } from './follower.js'
import { Leader } from './leader.js'
import { leaderLock, lifeLock } from './locks.js'
import { VERSION, channelName, type Word } from './words.js'

/** A leader's last words may come after its successor's first. */
const LAST_WORDS_MS = 50
const TICK_MS = 1000
/** In ticks, not in time: a machine that slept has not waited. */
const NO_WELCOME = 10
const SILENCE = 30
/** Who does not want the answer any more, or asks something new, does not wait so long. */
const QUIET = 3

interface Pending {
  method: Method
  args: unknown[]
  options: CallOptions
  /** A write's. */
  ticket: Ticket | undefined
  resolve: (value: unknown) => void
  reject: (error: NidusError) => void
  done?: Promise<unknown>
  /** Undefined: it waits for somebody who leads. */
  sentTo?: Following | Engine | undefined
}

export type OpenStore = (spec: OpenSpec) => Promise<Engine>

/** Where stores are for one opening alone (in memory, read-only) or the browser lacks what it takes, the store itself. */
export async function openMember(spec: OpenSpec, openStore: OpenStore, alone = false): Promise<Backend> {
  const able = locks() !== undefined && typeof BroadcastChannel !== 'undefined'
  return spec.storage !== 'memory' && !spec.readOnly && able ? Member.open(spec, openStore, alone) : openStore(spec)
}

/** Removes a store that nobody has open. */
export async function destroyAlone(name: string, destroy: () => Promise<void>): Promise<void> {
  const release = await holdNow(leaderLock(name))
  if (!release) throw new NidusError('LOCKED', `the store "${name}" is open (here, in another tab or worker)`)
  await destroy().finally(release)
}

/** One opening of a store that other tabs may have open too: it has the store itself (it leads), or speaks to the one that does. */
export class Member implements Backend {
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
  #following: Following | undefined
  #joined = false
  #calls = new Map<number, Pending>()
  #count = 0
  #timer: ReturnType<typeof setInterval> | undefined
  #quiet = 0
  readonly #sender: string
  /** By leaders: what this one had itself it flushes itself. */
  readonly #owed: Owed
  #failure: NidusError | undefined
  #closing: Promise<void> | undefined
  #gone: Promise<void> | undefined

  /** `alone`: nobody else has it when this begins. */
  static async open(spec: OpenSpec, openStore: OpenStore, alone: boolean): Promise<Member> {
    const member = new Member(spec, openStore)
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
    this.#owed = new Owed(spec)
    this.closed = new Promise((resolve) => (this.#ended = resolve))
    this.#channel = new BroadcastChannel(channelName(spec.name))
    this.#channel.onmessage = ({ data }: MessageEvent<Word>) => this.#hear(data)
  }

  async #keep() {
    const release = await holdNow(leaderLock(this.#spec.name))
    if (!release) throw new NidusError('LOCKED', `the store "${this.#spec.name}" is open elsewhere (another tab or worker)`)
    this.#release = release
    await this.#untilOpen(() => void this.#lead())
  }

  async #share() {
    const lock = hold(leaderLock(this.#spec.name))
    this.#release = lock.release
    await this.#untilOpen(() => {
      lock.granted.then(
        () => void this.#lead(),
        (error: unknown) => this.#closing || this.#fail(new NidusError('STORAGE_UNAVAILABLE', `Web Locks cannot be used here: ${String(error)}`, { cause: error })),
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

  call<M extends Method>(method: M, args: Parameters<Calls[M]>, options: CallOptions = {}): Promise<ReturnType<Calls[M]>> {
    if (this.#closing) return Promise.reject(closedError(this.#spec.name))
    return this.#call(method, args, options) as Promise<ReturnType<Calls[M]>>
  }

  #call(method: Method, args: unknown[], options: CallOptions): Promise<unknown> {
    const { signal } = options
    if (this.#failure) return Promise.reject(this.#failed())
    if (this.#engine && !this.#owed.lost) return this.#engine.call(method, args as never, options)
    if (signal?.aborted && !options.ticket?.again) return Promise.reject(aborted(signal))
    const number = ++this.#count
    const [floor = number] = this.#calls.keys()
    const ticket = isWrite(method) ? (options.ticket ?? { sender: this.#sender, number, floor, again: 0 }) : undefined
    let pending!: Pending
    let forget = () => {}
    const done = new Promise<unknown>((resolve, reject) => (pending = { method, args, options, ticket, resolve, reject })).finally(() => {
      this.#calls.delete(number)
      forget()
    })
    pending.done = done
    this.#calls.set(number, pending)
    if (signal) forget = onAbort(signal, () => this.#abort(number, pending, signal))
    this.#send(number, pending)
    this.#watch()
    return done
  }

  #abort(number: number, { sentTo, method, ticket, reject }: Pending, signal: AbortSignal) {
    if (sentTo instanceof Engine) return
    sentTo?.cancel(number)
    // Whether a write was still in time only a leader can tell.
    if (isRead(method) || (!sentTo && !ticket?.again)) reject(aborted(signal))
  }

  #send(number: number, pending: Pending) {
    const { method, args, options, ticket, resolve, reject } = pending
    const following = this.#following
    if (!this.#engine && !this.#joined) return
    // Not to be made any more, if it was not.
    const late = ticket?.again && options.signal?.aborted
    if (late) ticket.again = 2
    if (this.#engine) {
      pending.sentTo = this.#engine
      const called = this.#engine.call(method, args as never, { ...options, ticket, signal: late ? undefined : options.signal })
      called.then((result) => (method === 'flush' && this.#owed.answered(method, ticket, result), resolve(result))).catch(reject)
      return
    }
    // Of what a silent leader is not sent it is certain that it was not made.
    if (!following || this.#quiet >= QUIET) return
    pending.sentTo = following
    following.call(number, method, args, options.onProgress !== undefined, ticket).then(
      (answer) => {
        if (pending.sentTo !== following) return
        // It comes again with the next leader.
        if ('moved' in answer) return this.#unsent(pending)
        try {
          const result = taken(answer)
          this.#owed.answered(method, ticket, result)
          resolve(result)
        } catch (error) {
          reject(error as NidusError)
        }
      },
      () => {},
    )
  }

  #unsent(pending: Pending) {
    pending.sentTo = undefined
    if (pending.ticket) pending.ticket.again ||= 1
  }

  #sendAll() {
    for (const [number, pending] of this.#calls) if (!pending.sentTo) this.#send(number, pending)
  }

  #hear(word: Word) {
    if (this.#failure || this.#closing && this.#calls.size === 0) return
    if (this.#leader) return word.nidus === 'join' ? this.#leader.welcome(word) : undefined
    if (!this.#spec.multiTab || (word.nidus !== 'lead' && !(word.nidus === 'welcome' && word.to === this.#id))) return
    const { name } = this.#spec
    if (word.version !== VERSION) {
      return this.#fail(new NidusError('LOCKED', `the store "${name}" is open in a tab with another version of nidus-wasm (tabs speak protocol ${word.version} there, ${VERSION} here): reload the older one`))
    }
    if (word.exclusive) return this.#fail(new NidusError('LOCKED', `the store "${name}" is open in another tab, for that tab alone (multiTab: false)`))
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
    this.#channel.postMessage({ nidus: 'join', version: VERSION, id: this.#id, life: this.#life } satisfies Word)
  }

  async #join(leader: string) {
    const following: Following = new Following(
      this.#spec.name,
      leader,
      this.#id,
      (number, done, total) => this.#calls.get(number)?.options.onProgress?.(done, total),
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
      if (this.#owed.last) void following.call(++this.#count, 'newest', [this.#sender], false).then((answer) => this.#following === following && 'ok' in answer && this.#owed.found(answer.ok as number))
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
    for (const pending of this.#calls.values()) if (pending.sentTo === following) this.#unsent(pending)
  }

  /** The lock is ours. */
  async #lead() {
    if (this.#following) await sleep(LAST_WORDS_MS)
    if (this.#failure || (this.#closing && this.#calls.size === 0)) return this.#release()
    this.#lose()
    // A store that this one knew is not to be made anew, empty.
    const spec = this.#opening ? this.#spec : { ...this.#spec, dimension: undefined }
    const opening = this.#openStore(spec)
    this.#leader = new Leader(this.#id, this.#spec, opening, (word) => this.#channel.postMessage(word))
    this.#taking = opening.then(
      async (engine) => {
        if (this.#owed.last) this.#owed.found(await engine.call('newest', [this.#sender]))
        this.#owed.last = 0
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
    if (this.#leader || (this.#calls.size === 0 && !this.#opening)) {
      clearInterval(this.#timer)
      this.#timer = undefined
      if (this.#quiet < QUIET) this.#quiet = 0
      return
    }
    const following = this.#following
    if (following) following.ping().then(() => following === this.#following && this.#heard(), () => {})
    else this.#ask()
    const quiet = ++this.#quiet
    const over = quiet >= (this.#opening && !following ? NO_WELCOME : SILENCE)
    if (over) this.#quiet = QUIET
    const silent = (code: 'LOCKED' | 'STORAGE_UNAVAILABLE' | 'OUTCOME_UNKNOWN', more = '') =>
      new NidusError(code, `the store "${this.#spec.name}" is open in another tab, which does not answer (it may be frozen, or stopped by a debugger)${more}`)
    if (over && this.#opening) return this.#fail(silent('LOCKED'))
    for (const { sentTo, ticket, options, reject } of this.#calls.values()) {
      if (!over && !(quiet >= QUIET && options.signal?.aborted)) continue
      // One that was sent is made when that tab goes on, or was made before it stopped.
      if (!ticket || !(sentTo || ticket.again)) reject(silent('STORAGE_UNAVAILABLE'))
      else reject(silent('OUTCOME_UNKNOWN', ': it is not known whether it made the write, or will make it when it goes on. It is made whole or not at all'))
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
    for (const { sentTo, ticket, reject } of this.#calls.values()) if (!(sentTo instanceof Engine)) reject(ticket?.again ? lost() : this.#failed())
    this.#ended({ reason: 'failed', error })
    if (!this.#leader) void this.#letGo()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close() {
    await Promise.allSettled([...this.#calls.values()].map(({ done }) => done))
    try {
      try {
        // A leader that failed, or does not answer, cannot say it.
        if (this.#owed.any) await this.#call('flush', [], {})
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
      this.#engine?.endExports()
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
  new NidusError('OUTCOME_UNKNOWN', 'the tab that has the store did not say whether it made the write, and the store cannot be opened here: it is in the store whole or not at all')
