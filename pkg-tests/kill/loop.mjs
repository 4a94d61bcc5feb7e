// Kills a writer, opens the store again and checks it, many times over the same store.
import { Checker, Loss } from './check.mjs'
import { random } from './plan.mjs'

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Only a fault makes a wait this long, even on a busy machine. */
const PATIENCE_MS = 600_000

export function patiently(promise, what) {
  let timer
  const late = new Promise(
    (_, reject) =>
      (timer = setTimeout(() => reject(new Error(`${what}: nothing came for ${PATIENCE_MS / 1000} s`)), PATIENCE_MS)),
  )
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** Receives the messages of a writer, and gives them in order to those who wait for them. */
export class Inbox {
  #waiting = []
  #acknowledged = []
  onAcknowledged
  onCompacting
  saw = []

  receive = (message) => {
    if (message.done !== undefined) {
      if (this.onAcknowledged) this.onAcknowledged(message.done)
      else this.#acknowledged.push(message.done)
    } else if (message.saw) this.saw.push(message.saw)
    else if (message.compacting !== undefined) this.onCompacting?.()
    else
      this.#waiting
        .splice(0)
        .forEach(({ resolve, reject }) =>
          message.failed ? reject(new Loss(message.failed, { lost: 0, doubled: 0 })) : resolve(message),
        )
    if (message.failed) this.failure ??= new Loss(message.failed, { lost: 0, doubled: 0 })
  }

  async next(what) {
    if (this.failure) throw this.failure
    return patiently(new Promise((resolve, reject) => this.#waiting.push({ resolve, reject })), what)
  }
}

/**
 * Runs the loop. `start({ inbox, sabotage, cycle, r })` starts a writer and resolves to { send(message), kill(), gone }
 * once it takes messages. `kill` ends the writer without a warning. It resolves when none of its processes is running
 * and all its messages have been read. `slowness` is a factor for the time that a writer works. Resolves to { cycles,
 * acknowledged, lost, doubled, ... }. Throws at the first loss, with the same figures on the error.
 */
export async function killLoop({ cycles, seed, say = () => {}, name, start, inspect, sabotage, slowness = 1 }) {
  const r = random(seed, 11)
  const checker = new Checker(seed)
  const figures = { cycles: 0, acknowledged: 0, unseen: 0, compactionsHit: 0, opensHit: 0, lost: 0, doubled: 0 }
  const began = Date.now()
  /** The last cycles. For each: how it began, what its page saw of the storage, and what the kill interrupted. */
  const history = []
  let now

  async function opened(inbox, writer) {
    const asked = checker.next
    const answer = inbox.next(`${name}: opening`)
    writer.send({ open: asked })
    const { found } = await answer
    Object.assign(now, {
      recovery: found.recovery,
      found: Object.entries(found.collections).map(([name, { count }]) => `${name} ${count}`),
    })
    figures.unseen += checker.check({ ...found, asked })
    await inspect?.()
  }

  try {
    while (figures.cycles < cycles) {
      const cycle = figures.cycles + 1
      const inbox = new Inbox()
      now = { cycle, at: new Date().toISOString(), saw: inbox.saw }
      history.push(now)
      if (history.length > 8) history.shift()
      const writer = await patiently(start({ inbox, sabotage, cycle, r }), `${name}: starting`)
      try {
        if (cycle > 1 && r.int(10) === 0) {
          // The kill comes while the store is being opened: during recovery, or during a compaction that is due.
          writer.send({ open: checker.next })
          await sleep(r.int(30))
          figures.opensHit++
          now.hit = 'opening'
        } else {
          await opened(inbox, writer)
          const enough = new Promise((resolve) => {
            const most = 1 + r.int(120)
            let count = 0
            inbox.onAcknowledged = (op) => {
              checker.acknowledge(op)
              figures.acknowledged++
              if (++count === most) resolve()
            }
            const inCompaction = r.int(3) === 0
            inbox.onCompacting = () => {
              if (inCompaction)
                sleep(r.int(8)).then(() => (figures.compactionsHit++, (now.hit = 'compaction'), resolve()))
            }
            // Some writers are killed before their first acknowledgement.
            setTimeout(resolve, slowness * (r.int(5) === 0 ? r.int(20) : 20 + r.int(400)))
          })
          writer.send({ go: checker.next })
          await enough
        }
      } finally {
        // Messages that were sent before the kill still count. `kill` resolves when all of them have been read.
        now.killed = await patiently(writer.kill(), `${name}: killing`)
      }
      if (inbox.failure) throw inbox.failure
      figures.cycles = cycle
      if (cycle % 50 === 0)
        say(
          `${name}: ${cycle} cycles, ${figures.acknowledged} acknowledged, ` +
            `${Math.round((Date.now() - began) / 1000)} s`,
        )
    }
    // The store is also checked after the last kill, and once more after a writer that closed it.
    for (const write of [true, false]) {
      const inbox = new Inbox()
      now = { saw: inbox.saw }
      const writer = await patiently(start({ inbox, sabotage, cycle: 0, r }), `${name}: starting`)
      try {
        await opened(inbox, writer)
        if (write) {
          await new Promise((resolve) => {
            inbox.onAcknowledged = (op) => {
              checker.acknowledge(op)
              resolve()
            }
            writer.send({ go: checker.next })
          })
        }
        const closed = inbox.next(`${name}: closing`)
        writer.send({ close: true })
        await closed
      } finally {
        await writer.kill()
      }
      if (inbox.failure) throw inbox.failure
    }
  } catch (error) {
    if (error instanceof Loss) {
      figures.lost += error.lost
      figures.doubled += error.doubled
    }
    error.figures = figures
    error.history = history
    error.message = `${name}, seed ${seed}, cycle ${figures.cycles + 1}: ${error.message}`
    throw error
  }
  return { ...figures, seconds: Math.round((Date.now() - began) / 100) / 10 }
}
