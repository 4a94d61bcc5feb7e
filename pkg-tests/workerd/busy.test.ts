// Searches in a loop right after an insert, in workerd. There is no work in the background there, and the clock stands
// still during a request.
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { temporaryFolder } from '../common/folder'
import { bundle, serve, type Served } from './harness.mjs'

const root = temporaryFolder('busy')
let served: Served
beforeAll(async () => {
  await bundle(root, fileURLToPath(new URL('./busy-worker.mjs', import.meta.url)))
  served = await serve(root)
})
afterAll(() => served?.kill())

const ROWS = 20_000
it.each([
  ['in a worker', ''],
  ['in a Durable Object', '&object'],
  ['in a Durable Object that blocks other events', '&object&blocking'],
])('all rows have codes within 200 searches, and timers fire, %s', async (_, where) => {
  const answer = await fetch(`${served.url}/?rows=${ROWS}&searches=200${where}`)
  const found = (await answer.json()) as { codedRows: number; fired: number }
  expect(found.codedRows).toBeGreaterThan(ROWS - 4096)
  expect(found.fired).toBeGreaterThan(3)
})
