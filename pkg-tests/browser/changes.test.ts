import { afterAll, it } from 'vitest'
import { Nidus, type StoreChange } from 'nidus-wasm'
import type { Place } from '../common/api'
import { arraysHost } from '../common/arrays'
import { changesSuite } from '../common/changes'
import { until } from '../common/until'

let n = 0
const names: string[] = []
const place = (options: object): Place => ({
  fresh: () => {
    names.push(`changes/${Date.now()} ${n++}`)
    return names.at(-1)!
  },
  options: () => options,
  again: true,
})
changesSuite('opfs', place({}))
changesSuite('indexeddb', place({ storage: 'indexeddb' }))
changesSuite('opfs with search workers', place({ workers: 2 }))
changesSuite('memory, in a worker', place({ storage: 'memory' }))
changesSuite("a user's host, in the page", { ...place({}), options: () => ({ storage: arraysHost() }) })
afterAll(async () => {
  for (const name of names) await Nidus.destroy(name)
})

it('an error of a listener is an uncaught error of the page, and the other listeners are called', async () => {
  const thrown = new Error('the listener failed')
  const uncaught: unknown[] = []
  const over = new AbortController()
  addEventListener(
    'error',
    (event) => {
      if (event.error !== thrown) return
      uncaught.push(event.error)
      // Otherwise Vitest would count the error as a failure of the test.
      event.preventDefault()
      event.stopImmediatePropagation()
    },
    { capture: true, signal: over.signal },
  )
  const db = await Nidus.open(place({}).fresh(), { dimension: 2 })
  const told: StoreChange[] = []
  db.on('change', () => {
    throw thrown
  })
  db.on('change', (change) => void told.push(change))
  await db.upsert('c', { id: 'a', vector: [1, 0] })
  await until('the error and the event', () => uncaught.length === 1 && told.length === 1)
  over.abort()
  await db.close()
})
