// On Deno and Bun, each store has a directory of its own.
import { Nidus } from 'nidus-wasm'
import { admit, failure, service } from './service.js'

export function server({ directory, dimension, token }) {
  const stores = new Map()
  function storeOf(name) {
    const known = stores.get(name)
    if (known) return known
    let db
    const open = () => {
      if (db) return db
      const opened = (db = Nidus.open(`${directory}/${name}`, { dimension }))
      const over = () => void (db === opened && (db = undefined))
      opened.then((store) => store.closed.then(over), over)
      return opened
    }
    const store = { answer: service(open), close: async () => (await db?.catch(() => undefined))?.close() }
    stores.set(name, store)
    return store
  }
  return {
    async fetch(request) {
      try {
        const { store, action } = await admit(request, token)
        return await storeOf(store).answer(request, action)
      } catch (error) {
        return failure(error)
      }
    },
    /**
     * Closes the stores, so that the next process can open them at once. Everything that was acknowledged is on the
     * disk already.
     */
    close: () => Promise.all([...stores.values()].map((store) => store.close())),
  }
}
