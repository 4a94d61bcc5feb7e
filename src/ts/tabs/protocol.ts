import type { OpenSpec } from '../contract/backend.js'
import type { Method } from '../contract/calls.js'
import type { Ticket } from '../contract/tickets.js'
import type { Answer, Opened } from '../messages/answer.js'

/**
 * Of what tabs say to each other. The three words below, and their `version`, mean the same in every version, so that
 * any two can tell that they differ.
 */
export const VERSION = 6

/** Said to all tabs of the origin that have this store open. */
export type TabMessage =
  /** Who leads? `life` is a lock that is free once the asker is gone. */
  | { nidus: 'join'; version: number; id: string; life: string }
  /** I do, from now on. */
  | { nidus: 'lead'; version: number; leader: string; exclusive: boolean }
  /** The answer to one who asked: a link is ready. */
  | { nidus: 'welcome'; version: number; leader: string; exclusive: boolean; to: string }

export const channelName = (store: string) => `nidus-wasm:${store}`
export const tabChannelName = (store: string, leader: string, follower: string) =>
  `nidus-wasm:${store}:${leader}:${follower}`

/**
 * To be asked of the next leader: this one is leaving. What it had begun it may have made; who asks with a ticket is
 * told so.
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

export interface FollowerSide {
  progress(number: number, done: number, total: number): void
}
