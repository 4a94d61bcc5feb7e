import type { Derived } from '../../contract/derived.js'
import { isWords } from '../../format/words-file.js'
import type { DurableStorage } from '../../types/durable-object.js'
import { atomically, tableOf, WORDS_PLACE, type Row } from './sql.js'

/**
 * Returns the place of the derived file in the table of a store's extents. Each piece of the file is one row. The first
 * piece is written last, so an unfinished file has no beginning. `current` throws if the store is no longer this
 * host's.
 */
export function sqlDerived(storage: DurableStorage, row: () => Row, current: () => void): Derived {
  const { sql } = storage
  const table = () => tableOf(row().store)
  const piece = (number: number): Uint8Array | undefined => {
    const [found] = sql.exec(`SELECT bytes FROM ${table()} WHERE id = ?`, WORDS_PLACE + number)
    return found && new Uint8Array(found['bytes'] as ArrayBuffer)
  }
  const change = async (work: () => void) => {
    atomically(storage, () => {
      current()
      work()
    })
    // Without this wait, the whole file could pile up in the queue of writes.
    await storage.sync()
  }
  const put = (number: number, bytes: Uint8Array) =>
    change(() => void sql.exec(`INSERT INTO ${table()} (id, bytes) VALUES (?, ?)`, WORDS_PLACE + number, bytes))
  const clear = async () => {
    const first = piece(0)
    if (first && !isWords(first)) throw new Error("the pieces of the file of the indexes are another program's")
    await change(() => void sql.exec(`DELETE FROM ${table()} WHERE id >= ?`, WORDS_PLACE))
  }
  return {
    async read() {
      const first = piece(0)
      if (!first || !isWords(first)) return undefined
      return (async function* () {
        yield first
        for (let number = 1, bytes; (bytes = piece(number)); number++) yield bytes
      })()
    },
    async write(pieces) {
      await clear()
      let first: Uint8Array | undefined
      let number = 1
      for await (const bytes of pieces) {
        if (first) await put(number++, bytes)
        else first = bytes
      }
      if (first) await put(0, first)
    },
    remove: clear,
  }
}
