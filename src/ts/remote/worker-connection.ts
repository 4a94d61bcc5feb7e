import { rpcWith, type ArgsOf, type ResultOf, type Rpc } from '../messages/rpc.js'
import { NidusError, invalid, messageOf } from '../errors/errors.js'
import type { DirectReads } from './direct-reads.js'
import type { SearchWorkers } from './search-workers.js'
import { VERSION, type PageSide, type WorkerSide } from './protocol.js'

/** Limit for a script that loads but is not our worker. Even on a slow machine our worker answers in a few seconds. */
const HELLO_MS = 30_000

const UNLOADED = 'the worker could not be loaded: is its script served?'
const unstarted = (cause: unknown) =>
  new NidusError('WORKER_FAILED', `the worker could not be started: ${messageOf(cause)}`, { cause })

/** Returns whether a worker did not start because the page may not start it. */
export const isForbidden = (error: unknown) =>
  error instanceof NidusError &&
  error.code === 'WORKER_FAILED' &&
  (error.cause as Error | undefined)?.name === 'SecurityError'
const isUnstarted = (error: unknown) => isForbidden(error) || (error as Error).message === UNLOADED

/** A connection to a worker of this package. When the worker ends, all calls without an answer are rejected. */
export class WorkerConnection {
  readonly #worker: Worker
  readonly #rpc: Rpc<WorkerSide>
  readonly #onDeath: (error: NidusError) => void
  readonly #unwatch = new AbortController()
  #dead: NidusError | undefined
  #waiting = new Set<(error: NidusError) => void>()
  readonly #start: () => Worker
  #searchWorkers: Promise<SearchWorkers> | undefined
  /** Undefined while this tab is the only one that has the store open. */
  directReads: DirectReads | undefined

  static async connect(
    start: () => Worker,
    page: PageSide,
    onDeath: (error: NidusError) => void,
    made: (connection: WorkerConnection) => void = () => {},
    packaged?: boolean,
  ): Promise<WorkerConnection> {
    let up = false
    const connect = async (start: () => Worker) => {
      const connection = await WorkerConnection.#connect(start, page, (error) => up && onDeath(error), made)
      up = true
      return connection
    }
    try {
      return await connect(start)
    } catch (error) {
      if (!packaged || !isUnstarted(error)) throw error
      const here = await import('./start-from-elsewhere.js').catch(() => undefined)
      const other = await here?.elsewhere(start).catch((cause) => Promise.reject(unstarted(cause)))
      if (!other) throw error
      return connect(other).catch(({ message }: Error) => {
        throw unstarted(here!.refused(message))
      })
    }
  }

  static async #connect(
    start: () => Worker,
    page: PageSide,
    onDeath: (error: NidusError) => void,
    made: (connection: WorkerConnection) => void,
  ): Promise<WorkerConnection> {
    let connection: WorkerConnection
    try {
      connection = new WorkerConnection(start, page, onDeath)
    } catch (cause) {
      throw unstarted(cause)
    }
    made(connection)
    const timer = setTimeout(() => connection.#die('the worker did not say hello; is it nidus-wasm/worker?'), HELLO_MS)
    try {
      const { version, life } = await connection.ask('hello')
      if (version !== VERSION)
        throw new NidusError(
          'WORKER_FAILED',
          `the worker is of another version of nidus-wasm (protocol ${version}, the page has ${VERSION})`,
        )
      if (life) connection.#watch(life).catch(() => {})
      return connection
    } catch (error) {
      connection.end()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  private constructor(start: () => Worker, page: PageSide, onDeath: (error: NidusError) => void) {
    const worker = (this.#worker = start())
    this.#start = start
    this.#onDeath = onDeath
    this.#rpc = rpcWith(worker, page)
    worker.addEventListener('error', (event) => {
      // The browser would write the error to the console. The callers get it instead.
      event.preventDefault()
      this.#die(event.message ? `the worker failed: ${event.message}` : UNLOADED)
    })
    worker.addEventListener('messageerror', () => this.#die('a message of the worker could not be read'))
  }

  /** Watches whether the worker ends. No event tells that, but the lock that it holds becomes free. */
  async #watch(life: string) {
    const { locks } = navigator
    // If the lock is free already, the worker has ended, or page and worker do not share their locks. The latter was
    // seen in Chromium, after the storage of an open page was cleared. A worker that has not ended answers.
    if (await locks.request(life, { mode: 'shared', ifAvailable: true }, (lock) => lock !== null))
      return this.#expectAnswer()
    await locks.request(life, { mode: 'shared', signal: this.#unwatch.signal }, () =>
      this.#die('the worker was terminated'),
    )
  }

  async #expectAnswer() {
    const timer = setTimeout(() => this.#die('the worker was terminated'), HELLO_MS)
    await this.ask('hello').finally(() => clearTimeout(timer))
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
    this.#rpc.close()
    this.#worker.terminate()
    this.#searchWorkers?.then((workers) => workers.end()).catch(() => {})
    this.directReads?.end()
  }

  /** Starts a search worker for the worker, in the way that the worker itself was started, or ends one. */
  searchWorker(number: number, port?: MessagePort) {
    const failed = (...why: [number: number, message: string]) => this.tell('searchWorkerFailed', ...why)
    this.#searchWorkers ??= import('./search-workers.js').then((here) => new here.SearchWorkers(this.#start, failed))
    this.#searchWorkers
      .then((workers) => this.#dead || workers.change(number, port))
      .catch((error) => failed(number, messageOf(error)))
  }

  /**
   * Makes or ends the way past this worker, to the worker of the leading tab. Reads do not depend on it. `start` starts
   * the small worker or the whole one: in all tabs the same.
   */
  direct(start: (whole: boolean) => Worker, ...tab: ArgsOf<PageSide, 'direct'>) {
    // At once, so that no read is still sent to the former leader when an answer of the next one is here.
    if (this.directReads) return this.directReads.change(...tab)
    import('./direct-reads.js')
      .then(({ DirectReads }) => {
        if (!this.#dead) (this.directReads ??= new DirectReads(start, rpcWith)).change(...tab)
      })
      .catch(() => {})
  }

  /** Calls the worker and returns its answer as it is. */
  ask<F extends keyof WorkerSide>(method: F, ...args: ArgsOf<WorkerSide, F>): Promise<ResultOf<WorkerSide, F>> {
    return new Promise((resolve, reject) => {
      if (this.#dead) return reject(this.#dead)
      this.#waiting.add(reject)
      this.#rpc
        .ask(method, ...args)
        .then(resolve, (cause) => reject(invalid(`this cannot be sent to the worker: ${messageOf(cause)}`, cause)))
        .finally(() => this.#waiting.delete(reject))
    })
  }

  /** Calls the worker and waits for no answer. */
  tell<F extends keyof WorkerSide>(method: F, ...args: ArgsOf<WorkerSide, F>) {
    if (!this.#dead) this.#rpc.tell(method, ...args)
  }

  /** Stops the worker. Calls without an answer are rejected with CLOSED. */
  end() {
    if (this.#dead) return
    this.#dead = new NidusError('CLOSED', 'the worker has been stopped')
    this.#stop(this.#dead)
  }
}
