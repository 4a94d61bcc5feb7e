import { expect } from 'vitest'
import { EVERY_CASE } from '../common/model'
import { expectedOf, explore, opened, type Opener } from './explore'
import { Medium, type Event } from './medium'
import { makePlan, runPlan, statesOf } from './plan'
import type { Traced } from './record'

/** Runs a plan on a new store and returns the calls of the host. */
export async function traceOf(opener: Opener, seed: number, turns: number): Promise<Traced> {
  const plan = makePlan(seed, turns)
  const events = await opened(opener, new Map(), new Map(), 0, (db, mark) => runPlan(db, plan, mark))
  return { events: [{ kind: 'allow', from: 0, to: 0 }, ...events], plan }
}

/** The most images of one file at one moment. NIDUS_CRASH_MOST changes it. */
const MOST = Number(process.env['NIDUS_CRASH_MOST'] ?? (EVERY_CASE ? 16 : 4))

export async function through(what: string, opener: Opener, { events, plan }: Traced, seed: number) {
  expect(events.filter(({ kind }) => kind === 'flush').length).toBeGreaterThan(20)
  const began = performance.now()
  const medium = new Medium({ flushMakesName: opener.flushMakesName, seed })
  const count = await explore(opener, medium, events, expectedOf(statesOf(plan)), { most: MOST, seed, every: 150 })
  console.log(
    `${what}: ${events.length} events, ${count.images} distinct crash images (${count.second} of a second ` +
      `generation, ${count.killed} killed processes) in ${((performance.now() - began) / 1000).toFixed(1)} s`,
  )
  expect(count.images).toBeGreaterThan(1000)
  expect(count.second).toBeGreaterThan(50)
}

/** Returns the number of the file that first has this name. */
const fileOf = (events: Event[], name: string) =>
  (events.find((event) => event.kind === 'link' && event.name === name) as { file: number }).file
export const flushOf = (events: Event[], ...names: string[]) => {
  const files = names.map((name) => fileOf(events, name))
  return (event: Event) => event.kind === 'flush' && files.includes(event.file)
}
