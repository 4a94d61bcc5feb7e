import type { Held } from './current.js'
import { embedPassages } from './embedding.js'
import { COLLECTION } from './records.js'
import { Refusals } from './refusals.js'
import { endOf, unlessEnded } from './waiting.js'

/** So many ids of a call are kept. What is beyond is found in the store, so memory stays bounded. */
const KEPT = 8192

/** What one call waits for. */
export class Task {
  readonly refusals = new Refusals()
  /** Passages to embed. */
  readonly fresh: string[] = []
  /** True if the store has more of them than `fresh`. */
  more: boolean
  sweep: AsyncIterator<{ id: string }> | undefined
  done = 0
  ended = false
  readonly over: Promise<void>
  resolve!: () => void
  reject!: (error: unknown) => void
  readonly onDone: (done: number) => void
  /** Whether somebody waits for it. */
  readonly waited: boolean
  readonly #wake: () => void

  constructor(all: boolean, waited: boolean, onDone: (done: number) => void, wake: () => void) {
    this.more = all
    this.waited = waited
    this.onDone = onDone
    this.#wake = wake
    this.over = new Promise<void>((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    this.over.catch(() => {}) // whoever waits gets it
  }

  get hasWork() {
    return this.fresh.length > 0 || this.more || this.sweep !== undefined
  }

  /** Adds passages that are stored and wait for their vectors. */
  add(ids: string[]) {
    const kept = ids.slice(0, KEPT - this.fresh.length)
    this.fresh.push(...kept)
    if (kept.length < ids.length) this.more = true
    this.#wake()
  }

  /** Nothing is added any more. Resolves once all passages are embedded. */
  end(): Promise<void> {
    this.ended = true
    this.#wake()
    return this.over
  }
}

/**
 * The calls that wait for vectors, and the loop that makes them: one step after the other, the oldest call first. What
 * nobody waits for comes last.
 */
export class EmbedQueue {
  readonly #held: Held
  readonly #atOnce: () => number
  #tasks: Task[] = []
  #running: Promise<void> | undefined
  #paused: { promise: Promise<void>; resume: () => void } | undefined
  #step: { task: Task; abort: AbortController } | undefined

  /** Up to `atOnce()` passages are embedded in one step. */
  constructor(held: Held, atOnce: () => number) {
    this.#held = held
    this.#atOnce = atOnce
    held.closed.signal.addEventListener('abort', () => {
      for (const task of this.#tasks.splice(0)) task.reject(held.closed.signal.reason)
    })
  }

  get running() {
    return this.#running !== undefined
  }

  /** Resolves once nothing is being embedded. */
  get idle(): Promise<void> {
    return this.#running ?? Promise.resolve()
  }

  get paused() {
    return this.#paused !== undefined
  }

  pause() {
    let resume!: () => void
    this.#paused ??= { promise: new Promise<void>((resolve) => (resume = resolve)), resume }
  }

  resume() {
    this.#paused?.resume()
    this.#paused = undefined
  }

  /** Begins a call. With `all`, it embeds all passages that have no vector. `waited`: whether somebody waits for it. */
  begin(all: boolean, waited: boolean, onDone: (done: number) => void): Task {
    const task = new Task(all, waited, onDone, () => {
      if (this.#tasks.includes(task)) this.#running ??= Promise.resolve().then(() => this.#run())
    })
    this.#tasks.push(task)
    return task
  }

  /** Ends a call early. What is being embedded for it is given up. */
  drop(task: Task, error: unknown) {
    this.#tasks = this.#tasks.filter((each) => each !== task)
    task.reject(error)
    if (this.#step?.task === task) this.#step.abort.abort(error)
  }

  async #run() {
    const { signal: closed } = this.#held.closed
    try {
      while (!closed.aborted) {
        for (const task of this.#tasks.filter(({ ended, hasWork }) => ended && !hasWork)) this.#finish(task)
        const working = this.#tasks.filter(({ hasWork }) => hasWork)
        const task = working.find(({ waited }) => waited) ?? working[0]
        if (!task) return
        if (this.#paused) {
          await unlessEnded(this.#paused.promise, closed).catch(() => {})
          continue
        }
        await this.#embedSome(task)
      }
    } finally {
      this.#running = undefined
    }
  }

  #finish(task: Task) {
    this.#tasks = this.#tasks.filter((each) => each !== task)
    if (task.refusals.size > 0) task.reject(task.refusals.error())
    else task.resolve()
  }

  async #embedSome(task: Task) {
    const abort = new AbortController()
    this.#step = { task, abort }
    const end = endOf([this.#held.closed.signal, abort.signal])
    let left: number
    try {
      const ids = await this.#take(task, end.signal)
      if (ids.length === 0) return
      const before = task.refusals.size
      let told = 0
      await embedPassages(this.#held, ids, task.refusals, end.signal, (stored) => {
        told += stored
        this.#tell(task, stored)
      })
      left = ids.length - told - (task.refusals.size - before)
    } catch (error) {
      // The others would most likely fail as well, and slowly.
      if (!end.signal.aborted) for (const each of this.#tasks.splice(0)) each.reject(error)
      return
    } finally {
      end.release()
      this.#step = undefined
    }
    this.#tell(task, left)
  }

  #tell(task: Task, embedded: number) {
    task.done += embedded
    try {
      task.onDone(task.done)
    } catch (error) {
      // The caller's own function threw. What is embedded is stored.
      this.drop(task, error)
    }
  }

  /** Returns the next passages of a call. */
  async #take(task: Task, signal: AbortSignal): Promise<string[]> {
    const most = this.#atOnce()
    if (task.fresh.length > 0) return task.fresh.splice(0, most)
    return this.#held.reading(async ({ store, replaced }) => {
      if (!task.sweep) {
        // What comes from now on may lie behind the sweep.
        task.more = false
        task.sweep = store.db.records(COLLECTION, { filter: { _pending: true } })
        const again = () => {
          if (task.sweep) task.more = true
          task.sweep = undefined
        }
        replaced.signal.addEventListener('abort', again, { once: true })
      }
      const ids: string[] = []
      while (ids.length < most) {
        const { done, value } = await task.sweep.next()
        if (done) {
          task.sweep = undefined
          break
        }
        if (!task.refusals.has(value.id)) ids.push(value.id)
      }
      return ids
    }, signal)
  }
}
