// Durable inserts and openings in OPFS. The package runs in its own worker, as in a page.
import { compare, STRAIGHT } from './durable.mjs'
import { openings } from './openings.mjs'

// counting.mjs counts the bytes in the package's worker. This channel asks for the number.
const asks = new BroadcastChannel('bench-asks')
const answers = new BroadcastChannel('bench-written')
const written = () =>
  new Promise((resolve) => {
    answers.onmessage = ({ data }) => resolve(data)
    asks.postMessage('how much?')
  })

const load = async () => (await import(`${location.origin}/dist/browser.js`)).Nidus

async function medium() {
  const root = await navigator.storage.getDirectory()
  const handle = async (file) => (await root.getFileHandle(file, { create: true })).createSyncAccessHandle()
  return {
    storage: 'opfs',
    name: 'bench-durable',
    options: { worker: () => new Worker('/inside/counting-worker.mjs', { type: 'module' }) },
    written,
    async create(file) {
      const opened = await handle(file)
      opened.truncate(0)
      return {
        write: (bytes, at) => opened.write(bytes, { at }),
        flush: () => opened.flush(),
        close: () => opened.close(),
      }
    },
    async reopen(file) {
      const opened = await handle(file)
      return {
        size: () => opened.getSize(),
        read: (buffer, at) => opened.read(buffer, { at }),
        close: () => opened.close(),
      }
    },
    async clean() {
      for (const file of STRAIGHT) await root.removeEntry(file).catch(() => {})
    },
  }
}

export const durable = async ({ runs }, { input, query }) =>
  compare({ Nidus: await load(), input, query, runs, medium: await medium() })

export const opening = async ({ runs, marks }, { input, query }) =>
  openings({ Nidus: await load(), input, query, runs, marks, medium: await medium() })
