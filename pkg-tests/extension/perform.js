// Runs in the page and in the background. Opens stores by name, and calls the methods that messages name.
import { Nidus } from '../../dist/browser.js'

/** Differs after each start of the page or of the service worker. */
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

export const perform = (...of) =>
  step(of).then(
    (ok) => ({ ok }),
    (error) => ({ code: error.code ?? 'none', message: error.message }),
  )
