import type { Derived } from '../../contract/derived.js'
import { WORDS, isWords } from '../../format/words-file.js'
import { META, EXTENTS, type Transaction } from './database.js'
import { isExtent } from './sink.js'

/** The parts of the host that its derived file uses. */
export interface Inside {
  db(): IDBDatabase | undefined
  /** Does all of `work` or nothing, and only if the store is still this host's. */
  write(work: (transaction: Transaction) => object): Promise<void>
}

/** All keys of the file. The last part of a key is the number of the piece. */
const all = () => IDBKeyRange.bound([WORDS], [WORDS, []])
const keyOf = (piece: number) => [WORDS, 0, piece]

/**
 * Returns the place of the derived file among a store's extents. Each piece of the file is one entry. The first piece
 * is written last, so an unfinished file has no beginning.
 */
export function indexeddbDerived({ db, write }: Inside): Derived {
  const piece = (number: number) =>
    new Promise<unknown>((resolve, reject) => {
      const request = db()!.transaction([META, EXTENTS], 'readonly').objectStore(EXTENTS).get(keyOf(number))
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error!)
    })
  const refuseForeign = (first: unknown) => {
    if (first !== undefined && !(isExtent(first) && isWords(first)))
      throw new Error(`the extents of "${WORDS}" are another program's`)
  }
  return {
    async read() {
      const first = await piece(0)
      if (!isExtent(first) || !isWords(first)) return undefined
      return (async function* () {
        yield first
        for (let number = 1, bytes; isExtent((bytes = await piece(number))); number++) yield bytes
      })()
    },
    async write(pieces) {
      refuseForeign(await piece(0))
      let first: Uint8Array | undefined
      let number = 0
      for await (const bytes of pieces) {
        if (number === 0) first = bytes.slice()
        await write(({ extents }) => {
          if (number === 0) extents.delete(all())
          else extents.put(bytes.slice(), keyOf(number))
          return {}
        })
        number++
      }
      if (first) await write(({ extents }) => (extents.put(first, keyOf(0)), {}))
    },
    async remove() {
      refuseForeign(await piece(0))
      await write(({ extents }) => (extents.delete(all()), {}))
    },
  }
}
