import type { Backend, OpenSpec } from '../contract/backend.js'
import { isFeed, isWrite } from '../contract/calls.js'
import { breathe, sleep } from '../runtime/schedule.js'
import { NidusError, invalid, otherDimension } from '../errors/errors.js'
import { answer, callsOf, packOpened } from '../messages/answer.js'
import { rpcOver, rpcWith } from '../messages/rpc.js'
import { TabChannel } from './tab-channel.js'
import { onEnd } from './locks.js'
import {
  VERSION,
  lineName,
  tabChannelName,
  type FollowerSide,
  type LeaderSide,
  type Moved,
  type TabMessage,
  type TellPage,
} from './protocol.js'

/** A leader that is leaving waits this long for followers to take their last answers, in milliseconds. */
const DRAIN_MS = 2000

/** Serves the store to its other tabs, the followers. */
export class Leader {
  readonly #id: string
  readonly #spec: OpenSpec
  readonly #store: Promise<Backend>
  readonly #announce: (message: TabMessage) => void
  readonly #tellPage: TellPage
  #followers = new Map<string, { channel: TabChannel; forget: () => void }>()
  #running = new Set<Promise<unknown>>()
  #leaving = false

  constructor(
    id: string,
    spec: OpenSpec,
    store: Promise<Backend>,
    announce: (message: TabMessage) => void,
    tellPage: TellPage,
  ) {
    this.#id = id
    this.#spec = spec
    this.#store = store
    this.#announce = announce
    this.#tellPage = tellPage
    announce({ nidus: 'lead', version: VERSION, leader: id, exclusive: !spec.multiTab })
  }

  welcome({ id, version, life }: TabMessage & { nidus: 'join' }) {
    if (this.#leaving) return
    const exclusive = !this.#spec.multiTab
    if (version === VERSION && !exclusive && !this.#followers.has(id)) this.#accept(id, life)
    this.#announce({ nidus: 'welcome', version: VERSION, leader: this.#id, exclusive, to: id })
  }

  #accept(id: string, life: string) {
    const channel = new TabChannel(tabChannelName(this.#spec.name, this.#id, id))
    const unwatch = onEnd(life, () => this.#removeFollower(id))
    channel.onend = () => this.#removeFollower(id)
    let store: Backend | undefined
    let relaxed = false
    let failed = false
    const calls = callsOf(
      () => store!,
      (number, done, total) => follower.tell('progress', number, done, total),
      id,
    )
    const functions: LeaderSide = {
      open: (spec) =>
        this.#run(async () => {
          relaxed = spec.relaxed
          const opened = await this.#store.catch(() => undefined)
          // The opening failed. So the next leader tries, in its own tab.
          if (!opened) return { moved: true }
          store = opened
          void opened.closed.then(({ reason }) => (failed = reason === 'failed'))
          return answer(async () => {
            this.#check(spec, opened)
            // The leader's own report has what was recovered.
            const recovery = { bytes: 0, frames: 0, logBytes: 0, dataBytes: 0, created: false, compacted: false }
            return { ...packOpened(opened), recovery }
          })
        }),
      call: (number, method, args, progress, ticket) =>
        this.#run(async () => {
          const result = await calls.call(number, method, args, progress, ticket)
          // The next leader feeds the changes.
          if (isFeed(method) && 'error' in result) return { moved: true }
          // The next leader opens the store anew, and so finds out whether it has the write.
          if (failed && ticket && 'error' in result && result.error.code === 'OUTCOME_UNKNOWN') return { moved: true }
          // A follower with full durability gets it, although the leader opened the store with relaxed durability.
          if (this.#spec.relaxed && !relaxed && isWrite(method) && 'ok' in result) {
            const flushed = await answer(() => store!.call('flush', {}))
            if ('error' in flushed) return failed ? { moved: true } : flushed
          }
          return result
        }),
      cancel: calls.cancel,
      ping: () => true,
    }
    const follower = rpcOver<FollowerSide>(channel, functions, (receive) => channel.on(receive))
    // The follower's page may call the same functions, past its worker.
    const { port1, port2 } = new MessageChannel()
    rpcWith(port1, functions)
    port1.start()
    this.#tellPage(lineName(this.#id, id), port2)
    const forget = () => {
      unwatch()
      port1.close()
    }
    this.#followers.set(id, { channel, forget })
  }

  #check({ dimension, compat, name, storage }: OpenSpec, store: Backend) {
    if (storage !== undefined && storage !== store.storage)
      throw new NidusError(
        'STORAGE_UNAVAILABLE',
        `the store "${name}" is kept in ${store.storage}, not in ${storage}: leave out \`storage\``,
      )
    if (dimension !== undefined && dimension !== store.dimension) throw otherDimension(store.dimension, dimension)
    if (compat !== this.#spec.compat)
      throw invalid(
        `the store "${name}" is open in another tab with ` +
          `${this.#spec.compat ? `compat '${this.#spec.compat}'` : 'no compat'}: open it with the same compat`,
      )
  }

  #run<T>(work: () => Promise<T | Moved>): Promise<T | Moved> {
    if (this.#leaving) return Promise.resolve({ moved: true })
    const run = work()
    this.#running.add(run)
    void run.finally(() => this.#running.delete(run))
    return run
  }

  #removeFollower(id: string) {
    const follower = this.#followers.get(id)
    this.#followers.delete(id)
    follower?.forget()
    follower?.channel.close(false)
    void this.#store.then((store) => store.call('changes', { end: true }, { from: id })).catch(() => {})
  }

  /** Accepts no more calls, and resolves when all accepted ones have their answers. */
  async leave() {
    this.#leaving = true
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
    // Answers are posted a few turns after they are made.
    await breathe()
    await Promise.race([
      Promise.all([...this.#followers.values()].map(({ channel }) => channel.drained())),
      sleep(DRAIN_MS),
    ])
  }

  /**
   * Ends all connections, after `leave`. Calls without an answer were not begun. Followers send them to the next
   * leader.
   */
  end() {
    for (const [, { channel, forget }] of this.#followers) {
      forget()
      channel.close(true)
    }
    this.#followers.clear()
  }
}
