// A thread that stands for a tab: it runs the browsers' entry over files, with the locks that the main thread keeps.
// Killing the tab means ending the thread, whatever it is doing.
import { parentPort, workerData } from 'node:worker_threads'
import { opfsOver } from './opfs-folder.mjs'

const { tab, root, wasm, relaxed, compacts, last } = workerData

let asked = 0
const locks = new Map()
const request = (name, options, work) => {
  if (!work) [options, work] = [{}, options]
  const { mode = 'exclusive', ifAvailable = false, signal } = options
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const id = ++asked
    const giveUp = () => {
      locks.delete(id)
      parentPort.postMessage({ release: id })
      reject(signal.reason)
    }
    signal?.addEventListener('abort', giveUp)
    locks.set(id, async (there) => {
      locks.delete(id)
      signal?.removeEventListener('abort', giveUp)
      try {
        resolve(await work(there ? { name, mode } : null))
      } catch (error) {
        reject(error)
      } finally {
        parentPort.postMessage({ release: id })
      }
    })
    parentPort.postMessage({ ask: id, name, mode, ifAvailable })
  })
}

Object.defineProperty(globalThis, 'navigator', {
  configurable: true,
  value: { locks: { request }, storage: opfsOver(root, request) },
})

const { Nidus } = await import(new URL('../../dist/browser.js', import.meta.url).href)

/** Ids that any tab began to write. */
const ids = []
let closing = false
const tell = (message) => parentPort.postMessage(message)
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

let db
parentPort.on('message', ({ granted, there, id, close }) => {
  if (granted !== undefined) void locks.get(granted)?.(there)
  if (id !== undefined) ids.push(id)
  if (close) void end()
})
async function end() {
  closing = true
  await Promise.all(working)
  await db.close().then(
    () => tell({ closed: true }),
    ({ code }) => tell({ closed: code }),
  )
}

let n = 0
const writer = async () => {
  while (!closing) {
    const id = `${tab}-${n++}`
    tell({ begun: id })
    // Now and then a batch is large enough to need more than one sector of the log.
    const attrs = { text: 'x'.repeat(Math.random() < 0.3 ? 600 : 3) }
    await db
      .upsert('c', [
        { id, vector: [1, n, 0, 0], attrs },
        { id: `shared-${tab % 3}`, vector: [n, 1, 0, 0] },
      ])
      .then(
        () => tell({ done: id }),
        ({ code, message }) => tell({ wrong: `upsert: ${code} ${message}`, failed: id }),
      )
    await pause(Math.random() * 3)
  }
}
const deleter = async () => {
  while (!closing) {
    await pause(Math.random() * 6)
    const id = ids.splice(Math.floor(Math.random() * ids.length), 1)[0]
    if (id === undefined) continue
    tell({ deleting: id })
    const by = Math.random() < 0.3 ? db.delete('c', [id, `none-${id}`]) : db.delete('c', [id])
    await by.then(
      (count) => tell({ deleted: id, count }),
      ({ code, message }) => tell({ wrong: `delete: ${code} ${message}` }),
    )
  }
}
const flusher = async () => {
  while (!closing) {
    await pause(Math.random() * 20)
    // This flush speaks for the writes that were answered before it.
    tell({ flushing: true })
    await db.flush().then(
      () => tell({ flushed: true }),
      ({ code }) => tell({ flushed: code }),
    )
  }
}
const compacter = async () => {
  while (!closing) {
    await pause(20 + Math.random() * 60)
    await db.compact().catch(({ code, message }) => code !== 'CLOSED' && tell({ wrong: `compact: ${code} ${message}` }))
  }
}

let working = []
db = await Nidus.open('leaders', {
  dimension: 4,
  storage: 'opfs',
  wasm,
  autoCompact: false,
  durability: relaxed ? 'relaxed' : 'strict',
})
if (last) {
  const present = []
  for await (const { id } of db.records('c')) present.push(id)
  tell({ present })
} else {
  working = [
    writer(),
    writer(),
    writer(),
    ...(relaxed ? [flusher()] : [deleter(), deleter()]),
    ...(compacts ? [compacter()] : []),
  ]
  tell({ open: true })
}
