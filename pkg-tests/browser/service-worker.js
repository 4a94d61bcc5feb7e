// Bundled into one file before it is served, because a service worker cannot use `import()`.
import { Nidus } from '../../dist/browser.js'

addEventListener('install', () => skipWaiting())
addEventListener('message', ({ data: { name, wasm, id }, ports: [port] }) => {
  const work = async () => {
    const db = await Nidus.open(name, { dimension: 4, wasm })
    await db.upsert('c', [{ id, vector: [1, 0, 0, 0], attrs: { from: 'service worker' } }])
    const found = [
      db.storage,
      (await db.search([1, 0, 0, 0])).map((hit) => hit.id),
      (await Nidus.list()).some((info) => info.name === name),
    ]
    await db.close()
    return found
  }
  void work().then(
    (ok) => port.postMessage({ ok }),
    (error) => port.postMessage({ error: `${error.code} ${error.message}` }),
  )
})
