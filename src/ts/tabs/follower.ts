import { createBirpc, type BirpcReturn } from 'birpc'
import type { OpenSpec } from '../contract/backend.js'
import type { Method } from '../contract/calls.js'
import type { Ticket } from '../contract/tickets.js'
import type { Answer, Opened } from '../messages/answer.js'
import { poster } from '../messages/poster.js'
import { TabChannel } from './tab-channel.js'
import { tabChannelName, type FollowerSide, type LeaderSide, type Moved } from './protocol.js'

/** Connects a follower to one leader. Calls that have no answer when the leader ends never get one. */
export class LeaderConnection {
  readonly leader: string
  readonly #channel: TabChannel
  readonly #rpc: BirpcReturn<LeaderSide, FollowerSide, false>

  constructor(store: string, leader: string, id: string, progress: FollowerSide['progress'], ended: () => void) {
    this.leader = leader
    this.#channel = new TabChannel(tabChannelName(store, leader, id))
    this.#channel.onend = ended
    this.#rpc = createBirpc<LeaderSide, FollowerSide, false>(
      { progress },
      {
        post: poster(this.#channel),
        on: (receive) => this.#channel.on(receive),
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
    this.#channel.close(tell)
  }
}
