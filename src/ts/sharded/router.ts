import { NidusError, invalid, otherDimension } from '../errors/errors.js'
import { Serial } from '../runtime/serial.js'
import { silent, TIMEOUT_MS, within } from './deadlines.js'
import { shardError, Stale, unwrap } from './errors.js'
import { MOST_SHARDS, range, type Layout } from './layout.js'
import { shardAt, type Answer, type Call, type Namespace, type ShardStub, type TextChange } from './protocol.js'
import type { ShardStorage } from './storage.js'
import { RouterTexts, type Settings } from './texts.js'

interface Kept {
  name: string
  layout: Layout
}

/**
 * The one object that knows how many shards a store has. It completes a growth, even if objects are killed meanwhile.
 */
export class Router {
  readonly #storage: ShardStorage & { setAlarm(at: number): Promise<void> }
  readonly #shards: () => Namespace<ShardStub>
  readonly #texts: RouterTexts
  #kept: Promise<Kept | undefined>
  #growing: Promise<unknown> | undefined
  /** Changes of the stored layout. */
  readonly #deciding = new Serial()

  constructor(storage: ShardStorage & { setAlarm(at: number): Promise<void> }, shards: () => Namespace<ShardStub>) {
    this.#storage = storage
    this.#shards = shards
    this.#kept = storage.get<Kept>('nidus-router')
    this.#kept.catch(() => {})
    this.#texts = new RouterTexts(storage, (version, settings) => this.#tell(version, settings))
  }

  async layout(name: string, dimension: number, shards: number): Promise<Answer<Layout>> {
    return this.#answer(async () => {
      const kept = await this.#deciding.run(
        async () => (await this.#kept) ?? (await this.#keep({ name, layout: first(dimension, shards) })),
      )
      if (kept.layout.dimension !== dimension) throw otherDimension(kept.layout.dimension, dimension)
      // An interrupted growth goes on with the next request.
      if (kept.layout.from < kept.layout.to) void this.#grow(TIMEOUT_MS).catch(() => {})
      void this.#texts.finish().catch(() => {})
      return kept.layout
    })
  }

  /** Adds shards. Waits for a part of `timeout`. The layout in the answer tells the caller whether to ask again. */
  async grow(name: string, shards: number, timeout = TIMEOUT_MS): Promise<Answer<Layout>> {
    return this.#answer(async () => {
      const { growth } = await this.#deciding.run(() => this.#decide(name, shards, timeout))
      await awhile(growth, timeout / 2)
      return (await this.#kept)!.layout
    })
  }

  /**
   * Returns the text settings, after the change if one is given. Waits for a part of `timeout`. `pending` tells the
   * caller whether to ask again.
   */
  async texts(
    name: string,
    timeout = TIMEOUT_MS,
    change?: TextChange,
  ): Promise<Answer<{ settings: Settings; pending: boolean }>> {
    return this.#answer(async () => {
      if (!(await this.#kept)) throw unknown(name)
      if (change) {
        await this.#storage.setAlarm(Date.now() + ALARM_MS)
        await this.#texts.set(change.collection, change.fields)
      }
      await awhile(this.#texts.finish(), timeout / 2)
      const { settings, pending } = await this.#texts.kept
      return { settings, pending }
    })
  }

  /** Sends the text settings to all shards, new ones included. */
  async #tell(version: number, settings: Settings) {
    const { name, layout } = (await this.#kept)!
    await this.#tellTexts(name, layout, range(0, layout.to), version, settings)
  }

  #tellTexts(name: string, layout: Layout, indices: number[], version: number, settings: Settings) {
    return this.#each(indices, async (index, failed) => {
      while (!failed() && (await this.#call(name, layout, index, 'texts', TIMEOUT_MS, [version, settings])) > 0);
    })
  }

  async #decide(name: string, shards: number, timeout: number): Promise<{ growth: Promise<unknown> }> {
    const kept = await this.#kept
    if (!kept) throw unknown(name)
    const { layout } = kept
    if (!Number.isInteger(shards) || shards > MOST_SHARDS || shards < layout.to)
      throw invalid(
        `the store has ${layout.to} shards and cannot get ${shards}: it can grow to at most ${MOST_SHARDS}, and ` +
          'never gets fewer',
      )
    if (layout.from === layout.to) {
      if (shards === layout.to) return { growth: Promise.resolve() }
      // The previous growth is still telling the shards that it has ended. It is not the growth that is asked for now.
      if (this.#growing) return { growth: this.#growing.catch(() => {}) }
      await this.#storage.setAlarm(Date.now() + ALARM_MS)
      await this.#keep({ name, layout: { ...layout, version: layout.version + 1, to: shards } })
    } else if (shards !== layout.to)
      throw new NidusError('BUSY', `the store is growing to ${layout.to} shards: call grow again when that is done`)
    return { growth: this.#grow(timeout) }
  }

  /** Continues a growth after a restart, since the next request may not come for a while. */
  async alarm() {
    const kept = await this.#kept
    if (!kept) return
    const growing = kept.layout.from < kept.layout.to
    if (!growing && !(await this.#texts.kept).pending) return
    await this.#storage.setAlarm(Date.now() + ALARM_MS)
    await Promise.all([growing && this.#grow(TIMEOUT_MS), this.#texts.finish()])
  }

  async #answer<T>(work: () => Promise<T>): Promise<Answer<T>> {
    try {
      return { ok: await work() }
    } catch (error) {
      if (error instanceof NidusError) {
        const { code, message, shards } = error
        return { error: { code, message, ...(shards && { shards }) } }
      }
      return { error: { code: 'SHARD_FAILED', message: `the router: ${(error as Error)?.message ?? error}` } }
    }
  }

  async #keep(kept: Kept): Promise<Kept> {
    await this.#storage.put('nidus-router', kept)
    this.#kept = Promise.resolve(kept)
    return kept
  }

  #grow(timeout: number): Promise<unknown> {
    if (this.#growing) return this.#growing
    const growing = (this.#growing = this.#drive(timeout).finally(() => (this.#growing = undefined)))
    growing.catch(() => {})
    return growing
  }

  /** Each step may be repeated: layouts only get newer, and a record that has moved is not moved again. */
  async #drive(timeout: number) {
    const { name, layout } = (await this.#kept)!
    const all = range(0, layout.to)
    const call = (known: Layout, index: number, method: Call) => this.#call(name, known, index, method, timeout)
    await this.#each(all, (index) => call(layout, index, 'layout'))
    // Records come to the new shards only when their words are found there.
    const { version, settings } = await this.#texts.kept
    if (version > 0) await this.#tellTexts(name, layout, range(layout.from, layout.to), version, settings)
    // From here on, no shard answers a caller that knows only the old shards.
    await this.#each(all.slice(0, layout.from), async (index, failed) => {
      while (!failed() && (await call(layout, index, 'move')) > 0);
    })
    const done = { ...layout, version: layout.version + 1, from: layout.to }
    await this.#keep({ name, layout: done })
    await this.#each(all, (index) => call(done, index, 'layout'))
  }

  async #call(
    name: string,
    layout: Layout,
    index: number,
    method: Call,
    timeout: number,
    args: unknown[] = [],
  ): Promise<number> {
    const began = Date.now()
    for (let tries = 1; ; tries++) {
      try {
        return await within(
          unwrap<number>(shardAt(this.#shards(), name, index).call({ name, index, layout, timeout }, method, args)),
          timeout,
          () => silent(`shard ${index}`, timeout, [index]),
        )
      } catch (error) {
        // An object that was restarted answers the next call. An object that stays silent is not asked again and again.
        if (tries < TRIES && Date.now() - began < timeout / 2) {
          await new Promise((resolve) => setTimeout(resolve, 50 * tries))
          continue
        }
        if (error instanceof NidusError) throw error
        const why =
          error instanceof Stale
            ? 'has a newer layout than the router'
            : `did not answer: ${(error as Error)?.message ?? error}`
        throw shardError('SHARD_FAILED', `shard ${index} ${why}`, [index])
      }
    }
  }

  /**
   * Does the work for some items at a time. After the first failure it begins no more work, and waits for what is under
   * way.
   */
  async #each(indices: number[], work: (index: number, failed: () => boolean) => Promise<unknown>) {
    const left = indices.values()
    const failures: unknown[] = []
    const failed = () => failures.length > 0
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (const index of left) {
          if (failed()) return
          await work(index, failed).catch((error: unknown) => failures.push(error))
        }
      }),
    )
    if (failed()) throw failures[0]
  }
}

/** Waits for work for at most `ms` milliseconds. */
function awhile(work: Promise<unknown>, ms: number): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined
  return Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, ms)))]).finally(() =>
    clearTimeout(timer),
  )
}

const unknown = (name: string) =>
  new NidusError('NOT_FOUND', `there is no store "${name}" yet: the first call that writes or reads creates it`)

const AT_ONCE = 8
const TRIES = 5
const ALARM_MS = 10_000

function first(dimension: number, shards: number): Layout {
  if (!Number.isInteger(dimension) || dimension < 1)
    throw invalid(`dimension must be an integer from 1 to 65536, not ${dimension}`)
  if (!Number.isInteger(shards) || shards < 1 || shards > MOST_SHARDS)
    throw invalid(`shards must be an integer from 1 to ${MOST_SHARDS}, not ${shards}`)
  return { version: 1, from: shards, to: shards, dimension }
}
