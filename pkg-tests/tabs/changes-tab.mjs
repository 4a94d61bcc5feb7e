// A thread that stands for a tab, like ./leaders-tab.mjs. It writes, and listens to what all tabs write. By these
// events alone it keeps `known`, the ids that it believes to be in the store.
import { parentPort, workerData } from 'node:worker_threads'
import { opfsOver } from './opfs-folder.mjs'
import { request } from './thread-locks.mjs'

const { tab, root, wasm, relaxed } = workerData

Object.defineProperty(globalThis, 'navigator', {
  configurable: true,
  value: { locks: { request }, storage: opfsOver(root, request) },
})

const { Nidus } = await import(new URL('../../dist/browser.js', import.meta.url).href)

const tell = (message) => parentPort.postMessage(message)
const wrong = (what) => tell({ wrong: `tab ${tab}: ${what}` })
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

const db = await Nidus.open('changes', {
  dimension: 4,
  storage: 'opfs',
  wasm,
  durability: relaxed ? 'relaxed' : 'strict',
})

const all = async () => {
  const ids = new Set()
  for await (const { id } of db.records('c')) ids.add(id)
  return ids
}

let closing = false
/** The ids that this tab knows. `look` changes them in the order of the events. */
let known = new Set()
let looked = Promise.resolve()
const look = (work) => {
  looked = looked.then(work).catch((error) => closing || wrong(`a search failed: ${error.code} ${error.message}`))
}
const told = new Set()
const once = (what) => {
  if (told.has(what)) wrong(`told twice: ${what}`)
  told.add(what)
}
db.on(
  'change',
  ({ collections, reset, local }) => {
    if (closing) return wrong('told after close')
    if (reset) {
      tell({ reset: true })
      // Writes that the old leader had not flushed are made again, and told again.
      if (relaxed) told.clear()
      look(async () => (known = await all()))
      return
    }
    const entries = Object.entries(collections)
    const [[name, { ids, upserted, deleted }]] = entries
    if (entries.length !== 1 || name !== 'c' || upserted + deleted !== ids.length) wrong('an event of another shape')
    for (const id of ids) once(`${upserted > 0 ? 'upsert' : 'delete'} ${id}`)
    tell(upserted > 0 ? { told: ids } : { toldGone: ids })
    // A tab deletes only ids that it wrote, so the id says which tab made the change.
    if (local !== ids[0].startsWith(`${tab}-`)) wrong(`local is ${local} for ${ids[0]}`)
    look(async () => {
      const found = await db.get('c', ids)
      for (const [i, id] of ids.entries()) {
        if (found[i]) known.add(id)
        else known.delete(id)
        // With relaxed durability, writes may be lost with their leader.
        if (upserted > 0 && !found[i] && !relaxed && id.endsWith('kept')) wrong(`told of ${id}, and could not see it`)
      }
    })
  },
  { ids: true },
)
look(async () => (known = await all()))

let running = false
let working = []
let n = 0
const writer = async () => {
  while (running) {
    const base = `${tab}-${n++}`
    const ids = [`${base} kept`, ...(Math.random() < 0.5 ? [`${base} gone`] : [])]
    tell({ begun: ids })
    await db
      .upsert(
        'c',
        ids.map((id) => ({ id, vector: [1, n, 0, 0], attrs: { text: 'x'.repeat(Math.random() < 0.3 ? 600 : 3) } })),
      )
      .catch(({ code, message }) => wrong(`upsert: ${code} ${message}`))
    if (ids.length > 1 && Math.random() < 0.5) {
      tell({ deleting: ids[1] })
      await db.delete('c', ids[1]).catch(({ code, message }) => wrong(`delete: ${code} ${message}`))
    }
    await pause(Math.random() * 3)
  }
}
/** Adds and removes a listener that does not ask for ids. */
const other = async () => {
  while (running) {
    let last = ''
    const stop = db.on('change', ({ collections, reset }) => {
      if (!reset && collections.c?.ids) last = 'ids that nobody asked for'
    })
    await pause(Math.random() * 50)
    stop()
    if (last) wrong(last)
    await pause(Math.random() * 20)
  }
}
const begin = () => {
  running = true
  working = [writer(), writer(), other()]
}
const stop = async () => {
  running = false
  await Promise.all(working)
}

parentPort.on('message', async ({ calm, list, expect, go, close }) => {
  if (calm) {
    await stop()
    tell({ calm: true })
  }
  if (list) tell({ present: [...(await all())] })
  if (expect) {
    const wanted = new Set(expect)
    const missing = () => [...wanted].filter((id) => !known.has(id)).concat([...known].filter((id) => !wanted.has(id)))
    for (let turns = 0; missing().length > 0; turns++) {
      // Events come a few turns after the commit.
      if (turns > 2000) {
        tell({ missed: missing().slice(0, 5) })
        break
      }
      await pause(10)
      await looked
    }
    tell({ agrees: true })
  }
  if (go) begin()
  if (close) {
    await stop()
    closing = true
    await db.close().then(
      () => tell({ closed: true }),
      ({ code }) => tell({ closed: code }),
    )
  }
})
begin()
tell({ open: true })
