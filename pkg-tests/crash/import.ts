import { expect } from 'vitest'
import { EVERY_CASE } from '../common/model'
import { exported } from '../common/transfer'
import { expectedOf, explore, opened, type Expected, type Opener } from './explore'
import { Medium, type Event } from './medium'
import { makePlan, runPlan, statesOf, type State } from './plan'

/** Records an import. With `over`, it replaces a store; otherwise it makes a new one. */
export async function importTrace(
  opener: Opener,
  seed: number,
  over: boolean,
): Promise<{ events: Event[]; states: Expected[] }> {
  const [old, next] = [makePlan(seed, 4), makePlan(seed + 1, 9)]
  let bytes!: Uint8Array
  await opened(opener, new Map(), new Map(), 0, async (db) => {
    await runPlan(db, next, () => {})
    bytes = await exported(db)
  })
  const before: State = over ? statesOf(old).at(-1)! : new Map()
  const events = await opener.record(new Map(), new Map(), 0, async ({ open, take }, mark) => {
    if (over) {
      const db = await open()
      await runPlan(db, old, () => {})
      await db.close()
    }
    mark(0, 0)
    mark(0, 1)
    const db = await take(bytes)
    mark(1, 1)
    await db.close()
  })
  return { events, states: expectedOf([before, statesOf(next).at(-1)!]) }
}

export async function throughImport(what: string, opener: Opener, seed: number) {
  let images = 0
  for (const over of [true, false]) {
    const { events, states } = await importTrace(opener, seed, over)
    const count = await explore(opener, new Medium({ flushMakesName: opener.flushMakesName, seed }), events, states, {
      most: EVERY_CASE ? 16 : 6,
      seed,
      every: 40,
    })
    images += count.images
    expect(count.second + count.killed).toBeGreaterThan(0)
  }
  console.log(`${what}: ${images} distinct crash images of imports`)
  expect(images).toBeGreaterThan(30)
}
