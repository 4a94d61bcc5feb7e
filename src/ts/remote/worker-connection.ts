import { poster } from '../messages/poster.js'
import { createBirpc, type BirpcReturn } from 'birpc'
import { NidusError, invalid } from '../errors/errors.js'
import { taken, type Answer } from '../messages/answer.js'
import { VERSION, type PageSide, type WorkerSide } from './protocol.js'

/** For a worker that loads but is not ours. A slow machine's own worker says hello within a few seconds. */
const HELLO_MS = 30_000

export const textOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

const UNLOADED = 'the worker could not be loaded'
const unstarted = (cause: unknown) =>
  new NidusError('WORKER_FAILED', `the worker could not be started: ${textOf(cause)}`, { cause })

/** Whether the page may not start the worker. */
export const isForbidden = (error: unknown) =>
  error instanceof NidusError &&
  error.code === 'WORKER_FAILED' &&
  (error.cause as Error | undefined)?.name === 'SecurityError'
const isUnstarted = (error: unknown) => isForbidden(error) || (error as Error).message === UNLOADED

/** A worker of ours, and what becomes of calls when it dies. */
export class WorkerConnection {
  readonly #worker: Worker
  readonly #rpc: BirpcReturn<WorkerSide, PageSide, false>
  readonly #onDeath: (error: NidusError) => void
  readonly #unwatch = new AbortController()
  #dead: NidusError | undefined
  #waiting = new Set<(error: NidusError) => void>()

  static async connect(
    start: () => Worker,
    page: PageSide,
    onDeath: (error: NidusError) => void,
    made: (line: WorkerConnection) => void = () => {},
    packaged?: boolean,
  ): Promise<WorkerConnection> {
    let up = false
    const connect = async (start: () => Worker) => {
      const line = await WorkerConnection.#connect(start, page, (error) => up && onDeath(error), made)
      up = true
      return line
    }
    try {
      return await connect(start)
    } catch (error) {
      if (!packaged || !isUnstarted(error)) throw error
      const other = await import('./start-from-elsewhere.js').then(
        ({ elsewhere }) => elsewhere(start).catch((cause) => Promise.reject(unstarted(cause))),
        () => undefined,
      )
      if (!other) throw error
      return connect(other).catch(({ message }: Error) => {
        throw unstarted(
          new DOMException(
            `its script is of another origin, whose server must allow this one to import it (CORS): ${message}`,
            'SecurityError',
          ),
        )
      })
    }
  }

  static async #connect(
    start: () => Worker,
    page: PageSide,
    onDeath: (error: NidusError) => void,
    made: (line: WorkerConnection) => void,
  ): Promise<WorkerConnection> {
    let line: WorkerConnection
    try {
      line = new WorkerConnection(start(), page, onDeath)
    } catch (cause) {
      throw unstarted(cause)
    }
    made(line)
    const timer = setTimeout(() => line.#die('the worker did not say hello; is it nidus-wasm/worker?'), HELLO_MS)
    try {
      const { version, life } = await line.ask<Awaited<ReturnType<WorkerSide['hello']>>>('hello', [])
      if (version !== VERSION)
        throw new NidusError(
          'WORKER_FAILED',
          `the worker is of another version of nidus-wasm (protocol ${version}, the page has ${VERSION})`,
        )
      if (life) line.#watch(life).catch(() => {})
      return line
    } catch (error) {
      line.end()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  private constructor(worker: Worker, page: PageSide, onDeath: (error: NidusError) => void) {
    this.#worker = worker
    this.#onDeath = onDeath
    this.#rpc = createBirpc<WorkerSide, PageSide, false>(page, {
      post: poster(worker),
      on: (receive) =>
        worker.addEventListener(
          'message',
          ({ data }) => Array.isArray(data) && data.forEach((message) => receive(message)),
        ),
      timeout: -1,
      proxify: false,
    })
    worker.addEventListener('error', (event) => {
      // Else the browser reports it to the console; whoever called is told.
      event.preventDefault()
      this.#die(event.message ? `the worker failed: ${event.message}` : UNLOADED)
    })
    worker.addEventListener('messageerror', () => this.#die('a message of the worker could not be read'))
  }

  /** Nobody tells when a worker is terminated; but the lock that it holds as long as it lives is free then. */
  async #watch(life: string) {
    const { locks } = navigator
    // Free at once: the worker is gone already, or this page and the worker do not share their locks. (Chromium, for a
    // page whose storage was cleared while it was open.) A worker that lives says so.
    if (await locks.request(life, { mode: 'shared', ifAvailable: true }, (lock) => lock !== null)) return this.#hear()
    await locks.request(life, { mode: 'shared', signal: this.#unwatch.signal }, () =>
      this.#die('the worker was terminated'),
    )
  }

  async #hear() {
    const timer = setTimeout(() => this.#die('the worker was terminated'), HELLO_MS)
    await this.ask('hello', []).finally(() => clearTimeout(timer))
  }

  #die(what: string) {
    if (this.#dead) return
    this.#dead = new NidusError('WORKER_FAILED', what)
    this.#stop(this.#dead)
    this.#onDeath(this.#dead)
  }

  #stop(error: NidusError) {
    for (const reject of this.#waiting) reject(error)
    this.#waiting.clear()
    this.#unwatch.abort()
    this.#rpc.$close()
    this.#worker.terminate()
  }

  ask<T>(method: keyof WorkerSide, args: unknown[]): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#dead) return reject(this.#dead)
      this.#waiting.add(reject)
      this.#rpc
        .$callRaw({ method, args })
        .then(
          (value) => resolve(value as T),
          (cause) => reject(invalid(`this cannot be sent to the worker: ${textOf(cause)}`, cause)),
        )
        .finally(() => this.#waiting.delete(reject))
    })
  }

  async get<T>(method: keyof WorkerSide, args: unknown[]): Promise<T> {
    return taken(await this.ask<Answer<T>>(method, args))
  }

  tell(method: keyof WorkerSide, args: unknown[]) {
    if (!this.#dead) void this.#rpc.$callRaw({ method, args, event: true })
  }

  /** Whatever still waits is told CLOSED. */
  end() {
    if (this.#dead) return
    this.#dead = new NidusError('CLOSED', 'the worker has been stopped')
    this.#stop(this.#dead)
  }
}
