import type { ShardStorage } from './storage.js'
import { NidusError } from '../errors/errors.js'
import type { Whom } from './protocol.js'

interface Heard {
  epoch: number
  turn: number
}
const HEARD = 'nidus-heard/'
const GIVEN_UP = 'nidus-given-up/'
/** The number of clients for which a shard remembers the writes that they gave up. */
const MOST_CLIENTS = 1000

const late = (who: string) =>
  new NidusError('ABORTED', `this came late: ${who} had given it up. Nothing of it was done`)

/**
 * Refuses messages that were given up. Before a newer message is let in, the shard stores what it must refuse from then
 * on. So such messages are still refused after a restart.
 */
export class Fences {
  readonly #storage: ShardStorage
  readonly #heard = new Map<number, Heard>()
  readonly #givenUp = new Map<string, number>()

  constructor(storage: ShardStorage) {
    this.#storage = storage
  }

  async wake() {
    for (const [key, heard] of await this.#storage.list<Heard>({ prefix: HEARD }))
      this.#heard.set(Number(key.slice(HEARD.length)), heard)
    for (const [key, fence] of await this.#storage.list<number>({ prefix: GIVEN_UP }))
      this.#givenUp.set(key.slice(GIVEN_UP.length), fence)
  }

  /** Lets in a message of another shard, unless a later one was let in before. */
  async pass({ index, epoch, turn }: NonNullable<Whom['sender']>) {
    const heard = this.#heard.get(index)
    if (heard && (epoch < heard.epoch || (epoch === heard.epoch && turn <= heard.turn))) throw late(`shard ${index}`)
    this.#heard.set(index, { epoch, turn })
    await this.#storage.put(HEARD + index, { epoch, turn })
  }

  /**
   * Lets in a call of a client. Calls of one client may overtake each other. Once a client sends something else, the
   * calls that it gave up are refused.
   */
  async passClient({ id, turn, fence }: NonNullable<Whom['client']>) {
    const known = this.#givenUp.get(id) ?? 0
    if (turn <= known) throw late('the client')
    if (fence <= known) return
    this.#givenUp.delete(id)
    this.#givenUp.set(id, fence)
    await this.#storage.put(GIVEN_UP + id, fence)
    for (const [oldest] of this.#givenUp) {
      if (this.#givenUp.size <= MOST_CLIENTS) break
      this.#givenUp.delete(oldest)
      await this.#storage.delete(GIVEN_UP + oldest)
    }
  }
}
