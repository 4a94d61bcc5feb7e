import { NidusError } from '../errors/errors.js'
import type { PassageAttrs } from './records.js'

/** More are not kept. Then the embedder has another fault than a few texts that it does not take. */
const MOST = 1000
const NAMED = 3

/** The passages that an embedder refused, and why. They keep waiting, and are found by their words. */
export class Refusals {
  readonly #passages = new Map<string, { document: string; number: number; error: NidusError }>()

  add(id: string, { _doc, _n }: PassageAttrs, error: NidusError) {
    this.#passages.set(id, { document: _doc, number: _n, error })
    if (this.#passages.size >= MOST) throw this.error()
  }

  has(id: string) {
    return this.#passages.has(id)
  }

  get size() {
    return this.#passages.size
  }

  /** Returns the error that names the documents. There must be a refusal. */
  error(also = ''): NidusError {
    const all = [...this.#passages.values()]
    const documents = [...new Set(all.map(({ document }) => document))]
    const named = documents.slice(0, NAMED).map((document) => {
      const numbers = all.filter((each) => each.document === document).map(({ number }) => number)
      return `"${document.slice(0, 60)}" (passage ${numbers.slice(0, NAMED).join(', ')})`
    })
    const more = documents.length > NAMED ? ` and ${documents.length - NAMED} more` : ''
    const [{ error }] = all
    const text =
      `${error.message}. It refused ${all.length} passages and took others. Those of these documents are found by ` +
      `their words alone: ${named.join(', ')}${more}.${also} Call \`embedAll\` to try again`
    return Object.assign(new NidusError('EMBEDDER_FAILED', text, { cause: error.cause ?? error }), { documents })
  }
}
