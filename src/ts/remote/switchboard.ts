/** Sent to the switchboard with a port: of a leader's worker, or of the page of one of its followers. */
export interface Plug {
  leader: string
  follower?: string | undefined
}

interface Scope {
  onconnect: ((event: MessageEvent) => void) | null
}

/**
 * Runs in a shared worker, which the tabs of an origin have in common. Only there can two tabs give each other a message
 * port. Does nothing in other threads. Passes the ports of followers' pages on to the workers of their leaders. A port may come before its leader's.
 */
export function serveSwitchboard() {
  const scope = globalThis as unknown as Scope
  if (!('onconnect' in scope)) return
  const leaders = new Map<string, MessagePort>()
  let waiting: (Plug & { port: MessagePort })[] = []
  scope.onconnect = ({ ports: [page] }) => {
    page.onmessage = ({ data: { leader, follower }, ports: [port] }: MessageEvent<Plug>) => {
      if (follower) waiting.push({ leader, follower, port })
      else leaders.set(leader, port)
      waiting = waiting.filter(({ leader, follower, port }) => {
        leaders.get(leader)?.postMessage(follower, [port])
        return !leaders.has(leader)
      })
    }
  }
}
