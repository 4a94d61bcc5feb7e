import { describe, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { endsBySignal, fill, methods } from '../common/slow-filter'

const url = new URL('../../dist/worker.js', import.meta.url).href
const open = (name: string) =>
  Nidus.open(name, { dimension: 4, storage: 'opfs', worker: () => new Worker(url, { type: 'module' }) })

describe('an expensive filter', () => {
  for (const through of ['its own worker', "the leader's worker"]) {
    it.each(methods)(
      `lets other calls be answered, and ends when its signal is aborted, asked through ${through} (%s)`,
      async (method) => {
        const name = `slow ${Date.now()}`
        const first = await open(name)
        const second = await open(name)
        const asked = through === 'its own worker' ? first : second
        await fill(first)
        // Another caller's search is answered between two slices of the filter's work.
        await endsBySignal(method, asked, () => first.hasCollection('c'))
        await second.close()
        await first.close()
        await Nidus.destroy(name, { storage: 'opfs' })
      },
    )
  }
})
