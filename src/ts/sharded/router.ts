import { MOST_SHARDS, type Layout } from './layout.js'
import type { ShardStorage } from './shard.js'
import { shardAt, ShardedError, type Answer, type Call, type Namespace, type ShardStub } from './words.js'
import { unwrap } from './shard.js'

interface Kept {
  name: string
  layout: Layout
}

/** The one object that knows how many shards a store has, and sees a growth through, whatever is killed meanwhile. */
export class Router {
  readonly #storage: ShardStorage & { setAlarm(at: number): Promise<void> }
  readonly #shards: () => Namespace<ShardStub>
  #kept: Promise<Kept | undefined>
  #growing: Promise<Layout> | undefined

  constructor(storage: ShardStorage & { setAlarm(at: number): Promise<void> }, shards: () => Namespace<ShardStub>) {
    this.#storage = storage
    this.#shards = shards
    this.#kept = storage.get<Kept>('nidus-router')
    this.#kept.catch(() => {})
  }

  async layout(name: string, dimension: number, shards: number): Promise<Answer<Layout>> {
    return this.#answer(async () => {
      const kept = (await this.#kept) ?? (await this.#keep({ name, layout: first(dimension, shards) }))
      if (kept.layout.dimension !== dimension) throw new ShardedError('DIMENSION_MISMATCH', `the store has dimension ${kept.layout.dimension}, not ${dimension}`)
      // What was cut off goes on with whoever comes next.
      if (kept.layout.from < kept.layout.to) void this.#grow().catch(() => {})
      return kept.layout
    })
  }

  async grow(name: string, shards: number): Promise<Answer<Layout>> {
    return this.#answer(async () => {
      const kept = await this.#kept
      if (!kept) throw new ShardedError('NOT_FOUND', `there is no store ${name} yet`)
      const { layout } = kept
      if (!Number.isInteger(shards) || shards > MOST_SHARDS || shards < layout.to) throw new ShardedError('INVALID_ARGUMENT', `a store of ${layout.to} shards cannot get ${shards}: from ${layout.to} to ${MOST_SHARDS}`)
      if (layout.from === layout.to) {
        if (shards === layout.to) return layout
        await this.#storage.setAlarm(Date.now() + ALARM_MS)
        await this.#keep({ name, layout: { ...layout, version: layout.version + 1, to: shards } })
      } else if (shards !== layout.to) throw new ShardedError('BUSY', `the store is growing to ${layout.to} shards`)
      return this.#grow()
    })
  }

  /** After a restart in the middle nobody may ask for a while. */
  async alarm() {
    const kept = await this.#kept
    if (!kept || kept.layout.from === kept.layout.to) return
    await this.#storage.setAlarm(Date.now() + ALARM_MS)
    await this.#grow()
  }

  async #answer(work: () => Promise<Layout>): Promise<Answer<Layout>> {
    try {
      return { ok: await work() }
    } catch (error) {
      if (error instanceof ShardedError) return { error: { code: error.code, message: error.message } }
      return { error: { code: 'SHARD_FAILED', message: `the router: ${(error as Error)?.message ?? error}` } }
    }
  }

  async #keep(kept: Kept): Promise<Kept> {
    await this.#storage.put('nidus-router', kept)
    this.#kept = Promise.resolve(kept)
    return kept
  }

  #grow(): Promise<Layout> {
    return (this.#growing ??= this.#drive().finally(() => (this.#growing = undefined)))
  }

  /** Each step may come again: layouts only get newer, and what has moved is not there to be moved. */
  async #drive(): Promise<Layout> {
    const { name, layout } = (await this.#kept)!
    const all = Array.from({ length: layout.to }, (_, index) => index)
    await this.#each(all, (index) => this.#call(name, layout, index, 'layout'))
    // From here on no shard answers anybody who knows of the old ones alone.
    await this.#each(all.slice(0, layout.from), async (index) => {
      while ((await this.#call(name, layout, index, 'move')) > 0);
    })
    const settled = { ...layout, version: layout.version + 1, from: layout.to }
    await this.#keep({ name, layout: settled })
    await this.#each(all, (index) => this.#call(name, settled, index, 'layout'))
    return settled
  }

  async #call(name: string, layout: Layout, index: number, method: Call): Promise<number> {
    for (let tries = 1; ; tries++) {
      try {
        return await unwrap<number>(shardAt(this.#shards(), name, index).call({ name, index, layout }, method, []))
      } catch (error) {
        // An object that was restarted is there again at the next call.
        if (tries === TRIES) throw error
        await new Promise((resolve) => setTimeout(resolve, 50 * tries))
      }
    }
  }

  /** Some at a time. */
  async #each(indices: number[], work: (index: number) => Promise<unknown>) {
    const left = indices.values()
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (const index of left) await work(index)
    }))
  }
}

const AT_ONCE = 8
const TRIES = 5
const ALARM_MS = 10_000

function first(dimension: number, shards: number): Layout {
  if (!Number.isInteger(dimension) || dimension < 1) throw new ShardedError('INVALID_ARGUMENT', `dimension is ${dimension}`)
  if (!Number.isInteger(shards) || shards < 1 || shards > MOST_SHARDS) throw new ShardedError('INVALID_ARGUMENT', `shards is ${shards}: from 1 to ${MOST_SHARDS}`)
  return { version: 1, from: shards, to: shards, dimension }
}
