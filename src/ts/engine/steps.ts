import { Rows } from '../core/core.js'
import { deadCore } from '../core/load.js'
import type { OpenCore } from './open-core.js'
import { supply } from './rows.js'

/**
 * A read in steps. `step` returns undefined if rows are missing in memory. `free` ends the read, also before its end.
 */
export interface SteppedRead<R> {
  step(rows: Rows): R | undefined
  free?(): void
}

/**
 * Takes all steps. Between them it reads rows that are missing in memory, without waiting if the medium allows that.
 */
export function toTheEnd<R>(
  open: OpenCore,
  { step, free }: SteppedRead<R>,
  signal: AbortSignal | undefined,
): R | Promise<R> {
  const rows = open.spec.compactMemory ? open.run(() => new Rows()) : open.rows
  const end = () => {
    if (deadCore()) return
    free?.()
    if (rows !== open.rows) rows.free()
  }
  const go = (): R | Promise<R> => {
    for (;;) {
      const result = open.run(() => step(rows))
      if (result !== undefined) return result
      const read = supply(rows, open.reader, signal)
      if (read) return read.then(go)
    }
  }
  let result: R | Promise<R>
  try {
    result = go()
    if (result instanceof Promise) return result.finally(end)
  } catch (error) {
    end()
    throw error
  }
  end()
  return result
}
