// Sends calls over anything that carries messages, and receives their answers. Each call has a time limit.
export class Calls {
  #send
  #open = new Map()
  #next = 0
  #gone

  constructor(send) {
    this.#send = send
  }

  call(op, args, patience = 600_000) {
    if (this.#gone) return Promise.reject(new Error(this.#gone))
    const id = ++this.#next
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#settle(id, 'reject', new Error(`no answer to "${op}" in ${Math.round(patience / 1000)} s`)),
        patience,
      )
      this.#open.set(id, { resolve, reject, timer })
      this.#send({ id, op, args })
    })
  }

  #settle(id, how, value) {
    const one = this.#open.get(id)
    if (!one) return
    this.#open.delete(id)
    clearTimeout(one.timer)
    one[how](value)
  }

  answer({ id, value, error }) {
    if (error === undefined) this.#settle(id, 'resolve', value)
    else this.#settle(id, 'reject', new Error(error))
  }

  /** Rejects all calls, now and later, because nobody will answer any more. */
  fail(why) {
    this.#gone = why
    for (const id of [...this.#open.keys()]) this.#settle(id, 'reject', new Error(why))
  }
}
