// The locks of threads that stand for tabs. The main thread keeps them; ./thread-locks.mjs is the threads' side.

/**
 * Web Locks, exclusive and shared. They are granted in the order of the requests. When a thread has ended, its locks
 * are released.
 */
export class Locks {
  #queues = new Map()
  /** Called with the name of a lock and the worker that gets it. */
  onGrant = () => {}

  ask(worker, { ask: id, name, mode, ifAvailable }) {
    const queue = this.#queues.get(name) ?? []
    this.#queues.set(name, queue)
    queue.push({ worker, id, mode, held: false })
    this.#grant(name)
    if (!ifAvailable || queue.at(-1)?.held) return
    queue.pop()
    worker.postMessage({ granted: id, there: false })
  }

  release(worker, id) {
    for (const [name, queue] of this.#queues) {
      const left = queue.filter((lock) => lock.worker !== worker || (id !== undefined && lock.id !== id))
      if (left.length === queue.length) continue
      this.#queues.set(name, left)
      this.#grant(name)
    }
  }

  holder(name) {
    return this.#queues.get(name)?.find(({ held }) => held)?.worker
  }

  #grant(name) {
    const queue = this.#queues.get(name)
    for (const lock of queue) {
      const before = queue.slice(0, queue.indexOf(lock))
      if (lock.mode === 'shared' ? before.some(({ mode }) => mode !== 'shared') : before.length > 0) return
      if (lock.held) continue
      lock.held = true
      lock.worker.postMessage({ granted: lock.id, there: true })
      this.onGrant(name, lock.worker)
    }
  }
}
