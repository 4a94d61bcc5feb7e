import { NidusError, closedError, invalid, messageOf } from '../errors/errors.js'
import type { Nidus, StoreChange } from '../types/index.js'
import type { LiveStore, Searchable } from '../types/live.js'
import type { TextIndex } from '../types/text-index.js'

const has = (value: object, ...names: string[]) =>
  names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')

export const isIndex = (source: Searchable): source is TextIndex<unknown> => 'db' in source
export const isLive = (source: object): source is LiveStore<Searchable> => has(source, 'subscribe', 'get')

export const isSearchable = (source: unknown): source is Searchable =>
  typeof source === 'object' && source !== null && has(source, 'search')

export function checkSource(source: unknown, place: string): Searchable | LiveStore<Searchable> {
  if (isSearchable(source) || (typeof source === 'object' && source !== null && isLive(source))) return source
  throw invalid(`${place}: the source is an open store, a TextIndex, or a store that is being opened`)
}

/** Returns the error for something that a function of the caller's threw. */
export const errorOf = (error: unknown, doing: string): NidusError =>
  error instanceof NidusError ? error : new NidusError('FAILED', `${doing}: ${messageOf(error)}`, { cause: error })

const dbOf = (source: Searchable): Nidus => (isIndex(source) ? source.db : (source as Nidus))

/** Calls to make for each index when another store has taken the place of the one beneath it. */
const replaced = new WeakMap<Searchable, Set<() => void>>()

/** Resolves with the reason once a source cannot be used any more. `reembed` closes the store beneath an index. */
async function ended(source: Searchable, next?: () => void): Promise<NidusError> {
  for (;;) {
    const db = dbOf(source)
    const reason = await db.closed
    // While another store takes the place of this one, every call of the index waits.
    if (isIndex(source)) await source.state().catch(() => {})
    if (dbOf(source) === db) return reason.reason === 'failed' ? reason.error : closedError(db.name)
    next?.()
  }
}

export const whenEnded = (source: Searchable, call: (error: NidusError) => void): void =>
  void ended(source).then(call, () => {})

/** Calls `changed` after each write to the source, until the signal is aborted. Without an event, all has changed. */
export function onChange(source: Searchable, changed: (event?: StoreChange) => void, signal: AbortSignal): void {
  const listen = () => {
    try {
      // A sharded store has no events.
      if (has(dbOf(source), 'on')) dbOf(source).on('change', changed, { signal })
    } catch {
      // The store has ended. The next search says so.
    }
  }
  listen()
  if (!isIndex(source)) return
  let calls = replaced.get(source)
  if (!calls) {
    const all = (calls = new Set())
    replaced.set(source, all)
    void ended(source, () => all.forEach((call) => call())).catch(() => {})
  }
  const again = () => {
    listen()
    changed()
  }
  const all = calls
  all.add(again)
  signal.addEventListener('abort', () => all.delete(again), { once: true })
}
