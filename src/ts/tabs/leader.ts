import { createBirpc } from 'birpc'
import type { Backend, OpenSpec } from '../contract/backend.js'
import { isFeed, isWrite } from '../contract/calls.js'
import { breathe, sleep } from '../runtime/schedule.js'
import { NidusError, invalid } from '../errors/errors.js'
import { answer, callsOf, packOpened } from '../messages/answer.js'
import { poster } from '../messages/poster.js'
import { TabChannel } from './tab-channel.js'
import { onEnd } from './locks.js'
import { VERSION, tabChannelName, type FollowerSide, type LeaderSide, type Moved, type TabMessage } from './protocol.js'

/** A follower that takes nothing more off its link is not waited for any longer than this. */
const DRAIN_MS = 2000

/** The store's other tabs, served from the one that has it. */
export class Leader {
  readonly #id: string
  readonly #spec: OpenSpec
  readonly #store: Promise<Backend>
  readonly #say: (word: TabMessage) => void
  #followers = new Map<string, { link: TabChannel; forget: () => void }>()
  #running = new Set<Promise<unknown>>()
  #leaving = false

  constructor(id: string, spec: OpenSpec, store: Promise<Backend>, say: (word: TabMessage) => void) {
    this.#id = id
    this.#spec = spec
    this.#store = store
    this.#say = say
    say({ nidus: 'lead', version: VERSION, leader: id, exclusive: !spec.multiTab })
  }

  welcome({ id, version, life }: TabMessage & { nidus: 'join' }) {
    if (this.#leaving) return
    const exclusive = !this.#spec.multiTab
    if (version === VERSION && !exclusive && !this.#followers.has(id)) this.#accept(id, life)
    this.#say({ nidus: 'welcome', version: VERSION, leader: this.#id, exclusive, to: id })
  }

  #accept(id: string, life: string) {
    const link = new TabChannel(tabChannelName(this.#spec.name, this.#id, id))
    const forget = onEnd(life, () => this.#drop(id))
    this.#followers.set(id, { link, forget })
    link.onend = () => this.#drop(id)
    let store: Backend | undefined
    let relaxed = false
    let failed = false
    const calls = callsOf(
      () => store!,
      (number, done, total) => void follower.progress.asEvent(number, done, total),
      id,
    )
    const functions: LeaderSide = {
      open: (spec) =>
        this.#run(async () => {
          relaxed = spec.relaxed
          const opened = await this.#store.catch(() => undefined)
          // Nobody leads then, and the next one tries it for itself.
          if (!opened) return { moved: true }
          store = opened
          void opened.closed.then(({ reason }) => (failed = reason === 'failed'))
          return answer(async () => {
            this.#check(spec, opened)
            // What there was to recover was recovered before.
            const recovery = { bytes: 0, frames: 0, logBytes: 0, dataBytes: 0, created: false, compacted: false }
            return { ...packOpened(opened), recovery }
          })
        }),
      call: (number, method, args, progress, ticket) =>
        this.#run(async () => {
          const result = await calls.call(number, method, args, progress, ticket)
          // The next leader tells what there is to tell.
          if (isFeed(method) && 'error' in result) return { moved: true }
          // What the medium has the next one will find, who opens it anew.
          if (failed && ticket && 'error' in result && result.error.code === 'OUTCOME_UNKNOWN') return { moved: true }
          // Acknowledged means durable to whom opened it so, however the leader did.
          if (this.#spec.relaxed && !relaxed && isWrite(method) && 'ok' in result) {
            const flushed = await answer(() => store!.call('flush', {}))
            if ('error' in flushed) return failed ? { moved: true } : flushed
          }
          return result
        }),
      cancel: calls.cancel,
      ping: () => true,
    }
    const follower = createBirpc<FollowerSide, LeaderSide>(functions, {
      post: poster(link),
      on: (receive) => link.on(receive),
      eventNames: ['progress'],
      timeout: -1,
    })
  }

  #check({ dimension, compat, name, storage }: OpenSpec, store: Backend) {
    if (storage !== undefined && storage !== store.storage)
      throw new NidusError('STORAGE_UNAVAILABLE', `the store "${name}" is kept in ${store.storage}, not in ${storage}`)
    if (dimension !== undefined && dimension !== store.dimension) {
      throw new NidusError(
        'DIMENSION_MISMATCH',
        `the store "${name}" has dimension ${store.dimension}, not ${dimension}: open it without one, or take ` +
          'another name for vectors of another model',
      )
    }
    if (compat !== this.#spec.compat)
      throw invalid(
        `the store "${name}" is open in another tab with ` +
          `${this.#spec.compat ? `compat '${this.#spec.compat}'` : 'no compat'}; all tabs need the same`,
      )
  }

  #run<T>(work: () => Promise<T | Moved>): Promise<T | Moved> {
    if (this.#leaving) return Promise.resolve({ moved: true })
    const run = work()
    this.#running.add(run)
    void run.finally(() => this.#running.delete(run))
    return run
  }

  #drop(id: string) {
    const follower = this.#followers.get(id)
    this.#followers.delete(id)
    follower?.forget()
    follower?.link.close(false)
    void this.#store.then((store) => store.call('changes', { end: true }, { from: id })).catch(() => {})
  }

  /** Takes nothing more on, and resolves when all that was taken on has been answered. */
  async leave() {
    this.#leaving = true
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
    // The answers are posted a few turns after they are there.
    await breathe()
    await Promise.race([Promise.all([...this.#followers.values()].map(({ link }) => link.drained())), sleep(DRAIN_MS)])
  }

  /**
   * Whatever has not been answered by now was never begun: followers may ask the next leader for it. Only after
   * `leave`.
   */
  end() {
    for (const [, { link, forget }] of this.#followers) {
      forget()
      link.close(true)
    }
    this.#followers.clear()
  }
}
