import { aborted } from '../errors/errors.js'
import { onAbort } from '../runtime/signals.js'

/** Passages that one call waits for. */
interface Task {
  ids: string[]
  next: number
  done: number
  onDone: (done: number) => void
  resolve: () => void
  reject: (error: unknown) => void
}

/**
 * Passages that wait to be embedded, and the loop that does it: one batch after the other, the oldest call first. Ends
 * when nothing is left.
 */
export class EmbedQueue {
  readonly #embed: (ids: string[]) => Promise<void>
  readonly #atOnce: () => number
  #tasks: Task[] = []
  #running: Promise<void> | undefined
  #paused: { promise: Promise<void>; resume: () => void } | undefined
  #closed: Error | undefined
  #step: Promise<void> | undefined

  /** `embed` embeds and stores up to `atOnce()` passages. */
  constructor(embed: (ids: string[]) => Promise<void>, atOnce: () => number) {
    this.#embed = embed
    this.#atOnce = atOnce
  }

  get running() {
    return this.#running !== undefined
  }

  get paused() {
    return this.#paused !== undefined
  }

  pause() {
    let resume!: () => void
    this.#paused ??= { promise: new Promise<void>((resolve) => (resume = resolve)), resume }
  }

  /** Pauses, and resolves once nothing is being embedded. */
  async quiet() {
    this.pause()
    await this.#step?.catch(() => {})
  }

  resume() {
    this.#paused?.resume()
    this.#paused = undefined
  }

  /** Resolves once all these passages are embedded. */
  add(ids: string[], signal: AbortSignal | undefined, onDone: (done: number) => void): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed)
    if (ids.length === 0) return Promise.resolve()
    if (signal?.aborted) return Promise.reject(aborted(signal, 'aborted: the rest is embedded later'))
    return new Promise<void>((resolve, reject) => {
      const task: Task = { ids, next: 0, done: 0, onDone, resolve, reject }
      this.#tasks.push(task)
      const forget =
        signal &&
        onAbort(signal, () => {
          this.#tasks = this.#tasks.filter((each) => each !== task)
          task.reject(aborted(signal, 'aborted: the rest is embedded later'))
        })
      if (forget) {
        task.resolve = () => (forget(), resolve())
        task.reject = (error) => (forget(), reject(error))
      }
      this.#running ??= this.#run()
    })
  }

  async #run() {
    try {
      for (let task = this.#tasks[0]; task && !this.#closed; task = this.#tasks[0]) {
        if (this.#paused) {
          await this.#paused.promise
          continue
        }
        const ids = task.ids.slice(task.next, task.next + this.#atOnce())
        task.next += ids.length
        try {
          await (this.#step = this.#embed(ids))
        } catch (error) {
          // The others would most likely fail as well, and slowly.
          for (const each of this.#tasks.splice(0)) each.reject(error)
          return
        }
        task.done += ids.length
        try {
          task.onDone(task.done)
        } catch (error) {
          // The caller's own function threw. What is embedded is stored.
          this.#tasks = this.#tasks.filter((each) => each !== task)
          task.reject(error)
          continue
        }
        if (task.done < task.ids.length) continue
        this.#tasks = this.#tasks.filter((each) => each !== task)
        task.resolve()
      }
    } finally {
      this.#running = undefined
    }
  }

  /** Rejects all that wait, and resolves once nothing is being embedded any more. */
  async close(error: Error) {
    this.#closed = error
    this.resume()
    for (const each of this.#tasks.splice(0)) each.reject(error)
    await this.#running
  }
}
