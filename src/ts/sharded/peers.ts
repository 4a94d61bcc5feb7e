import { NidusError } from '../errors/errors.js'
import { silent, within } from './deadlines.js'
import { shardError, Stale, unwrap } from './errors.js'
import type { Layout } from './layout.js'
import { shardAt, type Call, type Calls, type Namespace, type ShardStub } from './protocol.js'
import { isTooLarge } from './sizes.js'

/** A wait shorter than this is normal, in milliseconds. */
const SOON_MS = 1000

/** Calls that write records of another shard. */
export const ARRIVALS: ReadonlySet<Call> = new Set(['put', 'adopt', 'remove', 'change'])

/** The state that a shard stores: which shard it is, and the newest layout that it knows. */
export interface Kept {
  name: string
  index: number
  layout: Layout
}

/** Makes the calls of one shard to the others. */
export class Peers {
  readonly #kept: () => Kept
  readonly #shards: () => Namespace<ShardStub>
  readonly #note: (layout: Layout) => Promise<unknown>
  /** A number that changes with each restart of the object. */
  epoch = 0
  #turn = 0
  /** The shards at which a message that was given up may still arrive. */
  readonly unsure = new Set<number>()
  /** The waits for other shards, and when they began. */
  readonly #waiting = new Map<object, { index: number; since: number }>()

  /** `note` is called with a newer layout that another shard has. */
  constructor(kept: () => Kept, shards: () => Namespace<ShardStub>, note: (layout: Layout) => Promise<unknown>) {
    this.#kept = kept
    this.#shards = shards
    this.#note = note
  }

  /** The shards that are being waited for, and for longer than usual. */
  get late(): number[] {
    const now = Date.now()
    const late = [...this.#waiting.values()].filter(({ since }) => now - since > SOON_MS)
    return [...new Set(late.map(({ index }) => index))]
  }

  /** Calls another shard. If it is not known whether a write got there, it may still arrive: this is remembered. */
  async call<M extends Call>(
    patience: number,
    index: number,
    method: M,
    ...args: Parameters<Calls[M]>
  ): Promise<ReturnType<Calls[M]>> {
    const { name, index: own, layout } = this.#kept()
    const key = {}
    this.#waiting.set(key, { index, since: Date.now() })
    const write = ARRIVALS.has(method)
    if (write) this.unsure.add(index)
    try {
      const answer = shardAt(this.#shards(), name, index).call(
        { name, index, layout, sender: { index: own, epoch: this.epoch, turn: ++this.#turn } },
        method,
        args,
      )
      const found = await within(unwrap<ReturnType<Calls[M]>>(answer), patience, () =>
        silent(`shard ${index}`, patience, [index]),
      )
      if (write) this.unsure.delete(index)
      return found
    } catch (error) {
      if (isTooLarge(error)) throw shardError('CAPACITY', 'a call carries 32 MiB at most', [own])
      if (error instanceof Stale) await this.#note(error.layout)
      throw error instanceof NidusError || error instanceof Stale
        ? error
        : shardError('SHARD_FAILED', `shard ${index} did not answer: ${(error as Error)?.message ?? error}`, [index])
    } finally {
      this.#waiting.delete(key)
    }
  }
}
