import type { OpenSpec } from '../contract/backend.js'
import type { Method } from '../contract/calls.js'
import type { Ticket } from '../contract/tickets.js'
import { rpcOver, type Rpc } from '../messages/rpc.js'
import { TabChannel } from './tab-channel.js'
import { tabChannelName, type FollowerSide, type LeaderSide } from './protocol.js'

/** Connects a follower to one leader. Calls that have no answer when the leader ends never get one. */
export class LeaderConnection {
  readonly leader: string
  readonly #channel: TabChannel
  readonly #rpc: Rpc<LeaderSide>

  constructor(store: string, leader: string, id: string, progress: FollowerSide['progress'], ended: () => void) {
    this.leader = leader
    this.#channel = new TabChannel(tabChannelName(store, leader, id))
    this.#channel.onend = ended
    this.#rpc = rpcOver(this.#channel, { progress }, (receive) => this.#channel.on(receive))
  }

  open(spec: OpenSpec) {
    return this.#rpc.ask('open', spec)
  }

  call(number: number, method: Method, args: object, progress: boolean, ticket?: Ticket) {
    return this.#rpc.ask('call', number, method, args, progress, ticket)
  }

  ping() {
    return this.#rpc.ask('ping')
  }

  cancel(number: number) {
    this.#rpc.tell('cancel', number)
  }

  close(tell: boolean) {
    this.#channel.close(tell)
  }
}
