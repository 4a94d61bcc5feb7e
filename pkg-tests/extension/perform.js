// The same for the page and the background: stores by name, their methods asked for by messages.
import { Nidus } from '../../dist/browser.js'

/** Another one for each start of the page or of the service worker. */
const boot = crypto.randomUUID()
const stores = new Map()

async function step([name, method, ...args]) {
  if (method === 'boot') return boot
  if (method === 'list') return (await Nidus.list()).map((info) => info.name)
  if (method === 'open') {
    const db = await Nidus.open(name, ...args)
    stores.set(name, db)
    return db.storage
  }
  return stores.get(name)[method](...args)
}

export const perform = (...of) => step(of).then((ok) => ({ ok }), (error) => ({ code: error.code ?? 'none', message: error.message }))
