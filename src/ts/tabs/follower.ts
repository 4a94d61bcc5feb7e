import { createBirpc, type BirpcReturn } from 'birpc'
import type { Method, OpenSpec } from '../engine/backend.js'
import type { Ticket } from '../engine/tickets.js'
import type { Answer, Opened } from '../rpc/answer.js'
import { poster } from '../rpc/protocol.js'
import { Link } from './link.js'
import { linkName, type FollowerSide, type LeaderSide, type Moved } from './words.js'

/** The way to one leader. Once it is gone nothing it was asked is ever answered. */
export class Following {
  readonly leader: string
  readonly #link: Link
  readonly #rpc: BirpcReturn<LeaderSide, FollowerSide, false>

  constructor(store: string, leader: string, id: string, progress: FollowerSide['progress'], ended: () => void) {
    this.leader = leader
    this.#link = new Link(linkName(store, leader, id))
    this.#link.onend = ended
    this.#rpc = createBirpc<LeaderSide, FollowerSide, false>({ progress }, {
      post: poster(this.#link),
      on: (receive) => this.#link.on(receive),
      timeout: -1,
      proxify: false,
    })
  }

  open(spec: OpenSpec) {
    return this.#ask<Answer<Opened> | Moved>('open', [spec])
  }

  call(number: number, method: Method, args: unknown[], progress: boolean, ticket?: Ticket) {
    return this.#ask<Answer<unknown> | Moved>('call', [number, method, args, progress, ticket])
  }

  ping() {
    return this.#ask<true>('ping', [])
  }

  cancel(number: number) {
    void this.#rpc.$callRaw({ method: 'cancel', args: [number], event: true })
  }

  #ask<T>(method: keyof LeaderSide, args: unknown[]): Promise<T> {
    return this.#rpc.$callRaw({ method, args }) as Promise<T>
  }

  close(tell: boolean) {
    this.#link.close(tell)
  }
}
