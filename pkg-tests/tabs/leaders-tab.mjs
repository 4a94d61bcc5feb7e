// A thread that stands for a tab. It runs the browsers' entry over files, with locks that the main thread keeps. To
// kill the tab, the thread is ended, whatever it does at that moment.
import { parentPort, workerData } from 'node:worker_threads'
import { opfsOver } from './opfs-folder.mjs'
import { request } from './thread-locks.mjs'

const { tab, root, wasm, relaxed, compacts, last } = workerData

Object.defineProperty(globalThis, 'navigator', {
  configurable: true,
  value: { locks: { request }, storage: opfsOver(root, request) },
})

const { Nidus } = await import(new URL('../../dist/browser.js', import.meta.url).href)

/** The ids that any tab began to write. */
const ids = []
let closing = false
const tell = (message) => parentPort.postMessage(message)
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

let db
parentPort.on('message', ({ id, close }) => {
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
    // Some batches are so large that they need more than one sector of the log.
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
    // The flush must cover the writes that were acknowledged before this message.
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
