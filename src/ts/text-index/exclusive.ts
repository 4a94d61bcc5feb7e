import { locks } from '../runtime/web-locks.js'
import { inTurn } from './waiting.js'

const last = new Map<string, Promise<unknown>>()

/**
 * Runs `work` while no other work of the same name runs: in this process, and in browsers in all tabs of the origin. It
 * keeps what is read and then written of one state. `signal` ends the wait for the others.
 */
export function exclusive<T>(name: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  return signal ? inTurn((work) => after(name, work), work, signal) : after(name, work)
}

function after<T>(name: string, work: () => Promise<T>): Promise<T> {
  const before = last.get(name) ?? Promise.resolve()
  const mine = before.then(() => locked(name, work))
  const settled = mine.catch(() => {})
  last.set(name, settled)
  void settled.then(() => last.get(name) === settled && last.delete(name))
  return mine
}

async function locked<T>(name: string, work: () => Promise<T>): Promise<T> {
  const all = locks()
  if (!all) return work()
  let done: Promise<T> | undefined
  await all.request(`nidus-text:${name}`, () => (done = work()).catch(() => {}))
  return done!
}
