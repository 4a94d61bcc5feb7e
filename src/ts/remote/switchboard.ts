interface Scope {
  onconnect: ((event: MessageEvent) => void) | null
}

/** At most so many wait, so that those whose other side never comes do not become more and more. */
const MAX_WAITING = 256

/**
 * Runs in a shared worker, which the tabs of an origin have in common. Only there can two tabs give each other a message
 * port. The page of a leader sends a port, and the page of a follower gets it. Both name the same line, and may come in
 * any order. Does nothing in other threads.
 */
export function serveSwitchboard() {
  const scope = globalThis as unknown as Scope
  if (!('onconnect' in scope)) return
  /** By the names of their lines: ports of leaders, and pages that want one. */
  const waiting = new Map<string, MessagePort>()
  scope.onconnect = ({ ports: [page] }) => {
    page.onmessage = ({ data: line, ports: [port] }: MessageEvent<string>) => {
      const other = waiting.get(line)
      waiting.delete(line)
      if (other) (port ? other : page).postMessage(line, [port ?? other])
      else waiting.set(line, port ?? page)
      if (waiting.size > MAX_WAITING) waiting.delete(waiting.keys().next().value!)
    }
    page.postMessage('runs')
  }
}
