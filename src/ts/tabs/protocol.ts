import type { OpenSpec } from '../contract/backend.js'
import type { Method } from '../contract/calls.js'
import type { Ticket } from '../contract/tickets.js'
import type { Answer, Opened } from '../messages/answer.js'

/**
 * The version of the protocol between tabs. The three messages below and their `version` mean the same in every
 * version, so that any two tabs can tell that their versions differ.
 */
export const VERSION = 8

/** A message to all tabs of the origin that have this store open. */
export type TabMessage =
  /** Asks who leads. `life` names a lock that is free once the sender has ended. */
  | { nidus: 'join'; version: number; id: string; life: string }
  /** Says that the sender leads from now on. */
  | { nidus: 'lead'; version: number; leader: string; exclusive: boolean }
  /** Answers `join`: the leader listens on the tab channel of this follower. */
  | { nidus: 'welcome'; version: number; leader: string; exclusive: boolean; to: string }

export const channelName = (store: string) => `nidus-wasm:${store}`
export const tabChannelName = (store: string, leader: string, follower: string) =>
  `nidus-wasm:${store}:${leader}:${follower}`

/**
 * Says that this leader is leaving, and that the call must be sent to the next one. A write may have been made already.
 * Its ticket keeps it from being made twice.
 */
export interface Moved {
  moved: true
}

export interface LeaderSide {
  open(spec: OpenSpec): Promise<Answer<Opened> | Moved>
  call(
    number: number,
    method: Method,
    args: object,
    progress: boolean,
    ticket: Ticket | undefined,
  ): Promise<Answer<unknown> | Moved>
  cancel(number: number): void
  ping(): true
}

export const lineName = (leader: string, follower: string) => `${leader} ${follower}`

/**
 * Tells the page of this tab the line by which a follower's page may call the leader's worker. A leader tells one for
 * each follower, and gives the port for it. A follower tells its own, and, without arguments, that it is over.
 */
export type TellPage = (line?: string, port?: MessagePort) => void

export interface FollowerSide {
  progress(number: number, done: number, total: number): void
}
