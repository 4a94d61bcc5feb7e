import type { Backend } from '../contract/backend.js'
import { CREATE_WITH_TEXT, type Change, type Cursor } from '../contract/changes.js'
import { Reader } from '../core/wire.js'
import type { CollectionChange, StoreChange, StoreListener } from '../types/index.js'

// Tells listeners what was committed. It is loaded with the first listener.

export interface Registration {
  readonly ids: boolean
  /** The place after which it gets changes. */
  readonly begins: Promise<Cursor>
  forget?: () => void
}
export type Listeners = Map<StoreListener, Registration>

/** Asks for changes as long as there are listeners, and passes the changes to them. */
export async function follow(backend: Backend, all: Listeners, begins: Promise<Cursor>, current: () => boolean) {
  for (let after = await begins; current();) {
    const ids = [...all.values()].some(({ ids }) => ids)
    const { changes, reset, next } = await backend.call('changes', { after, ids })
    after = next
    // A listener that is added from here on begins after these changes.
    const present = await Promise.all(
      [...all].map(async ([listener, own]) => [listener, own, await own.begins] as const),
    )
    const tell = (event: (ids: boolean) => StoreChange, at: number) => {
      for (const [listener, own, begins] of present) {
        if (!current() || all.get(listener) !== own) continue
        if (begins.feed === next.feed && begins.at >= at) continue
        try {
          listener(event(own.ids))
        } catch (error) {
          // In a turn of its own, as an error that nothing caught.
          queueMicrotask(() => {
            throw error
          })
        }
      }
    }
    if (reset) tell(() => ({ collections: {}, reset, local: false }), next.at)
    changes.forEach((change, i) => {
      // Each listener has an object of its own, which it may change.
      tell((ids) => eventOf(change, ids), next.at - changes.length + i + 1)
    })
  }
}

const FLAGS: { [method: string]: ('created' | 'dropped' | 'meta' | 'text')[] | undefined } = {
  createCollection: ['created'],
  dropCollection: ['dropped'],
  setMeta: ['meta'],
  setText: ['text'],
  [CREATE_WITH_TEXT]: ['created', 'text'],
}

function eventOf({ method, collection, count, local, ids }: Change, wanted: boolean): StoreChange {
  const change: CollectionChange = { upserted: 0, updated: 0, deleted: 0 }
  const flags = FLAGS[method]
  if (flags) for (const flag of flags) change[flag] = true
  else change[method === 'upsert' ? 'upserted' : method === 'update' ? 'updated' : 'deleted'] = count
  if (wanted) change.ids = ids ? [...new Set(new Reader(ids).strings())] : []
  const collections = Object.create(null) as StoreChange['collections']
  collections[collection] = change
  return { collections, reset: false, local }
}
