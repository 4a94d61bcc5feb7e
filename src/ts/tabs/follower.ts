import { createBirpc, type BirpcReturn } from 'birpc'
import type { OpenSpec } from '../contract/backend.js'
import type { Method } from '../contract/calls.js'
import type { Ticket } from '../contract/tickets.js'
import type { Answer, Opened } from '../messages/answer.js'
import { poster } from '../messages/poster.js'
import { TabChannel } from './tab-channel.js'
import { tabChannelName, type FollowerSide, type LeaderSide, type Moved } from './protocol.js'

/** The way to one leader. Once it is gone nothing it was asked is ever answered. */
export class LeaderConnection {
  readonly leader: string
  readonly #link: TabChannel
  readonly #rpc: BirpcReturn<LeaderSide, FollowerSide, false>

  constructor(store: string, leader: string, id: string, progress: FollowerSide['progress'], ended: () => void) {
    this.leader = leader
    this.#link = new TabChannel(tabChannelName(store, leader, id))
    this.#link.onend = ended
    this.#rpc = createBirpc<LeaderSide, FollowerSide, false>(
      { progress },
      {
        post: poster(this.#link),
        on: (receive) => this.#link.on(receive),
        timeout: -1,
        proxify: false,
      },
    )
  }

  open(spec: OpenSpec) {
    return this.#ask<Answer<Opened> | Moved>('open', [spec])
  }

  call(number: number, method: Method, args: object, progress: boolean, ticket?: Ticket) {
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
