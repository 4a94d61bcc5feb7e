// A thread that stands for a tab.
import { Worker } from 'node:worker_threads'

/**
 * Starts a thread. Returns the worker, `ended`, and `end`, which kills the thread. `ended` resolves when the thread has
 * ended and its locks are released. If there is an error, or the thread ends by itself, `fail` is called.
 */
export function startThread(script, tab, workerData, { locks, fail }) {
  // Node would print a warning that blobs of files are experimental.
  const worker = new Worker(script, { workerData, execArgv: ['--disable-warning=ExperimentalWarning'] })
  const thread = { tab, worker, ending: false }
  thread.ended = new Promise((resolve) => worker.once('exit', resolve)).then(() => locks.release(worker))
  thread.end = () => {
    thread.ending = true
    return worker.terminate().then(() => thread.ended)
  }
  worker.on('error', (error) => fail(new Error(`tab ${tab} failed: ${error?.stack ?? error}`)))
  worker.on('messageerror', (error) => fail(new Error(`a message of tab ${tab} could not be read: ${error}`)))
  worker.on('exit', (code) => thread.ending || fail(new Error(`tab ${tab} ended by itself (exit code ${code})`)))
  return thread
}
