/** Runs pieces of work one after the other, in the order of the calls. One that fails does not stop the later ones. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve()

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }

  /** Resolves once the work that was given before has ended. */
  get idle(): Promise<unknown> {
    return this.#last
  }
}
