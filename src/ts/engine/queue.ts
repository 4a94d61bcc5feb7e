import { aborted } from '../errors/errors.js'
import { onAbort } from '../runtime/signals.js'
import { breathe } from '../runtime/schedule.js'

/**
 * A mutation that is committed in a commit group with others. If its `stage` throws, only this mutation is refused. A
 * mutation with `keep` is staged at once if nothing else is under way. Otherwise `keep` is called, to copy what it
 * needs.
 */
interface Staging {
  stage: () => unknown
  keep?: (() => void) | undefined
}
/** Work that is not part of a commit group. */
interface Alone {
  alone: () => Promise<unknown>
}
type Work = Staging | Alone

type Job = Work & {
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
  leave: () => void
  at: number
  staged?: { result: unknown }
}

interface CommitGroup {
  /** The number of bytes staged so far. */
  size(): number
  /** Makes what is staged durable and visible. */
  commit(): Promise<void>
}

/** The size in bytes at which a commit group ends. A larger one is not quicker, and its first callers wait longer. */
const ENOUGH = 8 * 1024 * 1024

/** Runs mutations in the order of their calls. Those that wait at the same time share one commit. */
export class Queue {
  readonly #group: CommitGroup
  #waiting: Job[] = []
  #pump: Promise<void> | undefined

  constructor(group: CommitGroup) {
    this.#group = group
  }

  push(work: Work, signal?: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted(signal))
      const abort = () => {
        this.#waiting = this.#waiting.filter((other) => other !== job)
        reject(aborted(signal!))
      }
      const job: Job = {
        ...work,
        resolve,
        reject,
        leave: signal ? onAbort(signal, abort) : () => {},
        at: performance.now(),
      }
      if ('stage' in job && job.keep) {
        if (this.#pump || signal) job.keep()
        else job.staged = { result: job.stage() }
      }
      this.#waiting.push(job)
      this.#pump ??= this.#run()
    })
  }

  /** Resolves once nothing waits or runs. */
  async idle(): Promise<void> {
    while (this.#pump) await this.#pump
  }

  /** Returns how long the oldest waiting mutation has waited, in milliseconds. */
  get waited(): number {
    const [first] = this.#waiting
    return first ? performance.now() - first.at : 0
  }

  async #run() {
    // Calls of the same turn, and calls that are on their way to this thread, share the first commit. Between two
    // commit groups reads get their turn.
    await breathe()
    while (this.#waiting.length > 0) {
      if ('alone' in this.#waiting[0]) await this.#runAlone(this.#take()!)
      else await this.#runGroup()
      // No timer is set if nothing is left to do: in a Durable Object it would not end while a caller blocks other
      // events.
      if (this.#waiting.length > 0) await breathe()
    }
    this.#pump = undefined
  }

  #take() {
    const job = this.#waiting.shift()
    job?.leave()
    return job
  }

  async #runAlone(job: Job) {
    try {
      job.resolve(await (job as Alone).alone())
    } catch (error) {
      job.reject(error)
    }
  }

  async #runGroup() {
    const staged: [Job, unknown][] = []
    let taken = 0
    for (const job of this.#waiting) {
      if (!('stage' in job) || (staged.length > 0 && this.#group.size() >= ENOUGH)) break
      taken++
      job.leave()
      try {
        staged.push([job, (job.staged ??= { result: job.stage() }).result])
      } catch (error) {
        job.reject(error)
      }
    }
    this.#waiting.splice(0, taken)
    if (staged.length === 0) return
    try {
      await this.#group.commit()
      for (const [job, result] of staged) job.resolve(result)
    } catch (error) {
      for (const [job] of staged) job.reject(error)
    }
  }
}
