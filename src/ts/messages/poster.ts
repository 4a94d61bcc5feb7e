export interface Port {
  postMessage(message: unknown, transfer: Transferable[]): void
}

/** Objects that their sender may need again, so their arrays are copied and not transferred. */
const kept = new WeakSet<object>()
export const keep = (value: object) => void kept.add(value)

/**
 * Returns a function that posts messages. The messages of one turn are posted as one, so that calls made together
 * arrive together and share a commit. Every typed array in them was made for sending, so its buffer is transferred,
 * unless it is in an object that is kept. Ports are transferred, too.
 */
export function poster(port: Port): (message: unknown) => Promise<void> {
  let waiting: { message: unknown; resolve: () => void; reject: (error: unknown) => void }[] = []
  const flush = () => {
    const batch = waiting
    waiting = []
    try {
      post(
        port,
        batch.map(({ message }) => message),
      )
      for (const { resolve } of batch) resolve()
    } catch {
      // One message cannot be cloned. It must not keep the others from being sent.
      for (const { message, resolve, reject } of batch) {
        try {
          post(port, [message])
          resolve()
        } catch (error) {
          reject(error)
        }
      }
    }
  }
  return (message) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ message, resolve, reject }) === 1) queueMicrotask(flush)
    })
}

function post(port: Port, messages: unknown[]) {
  const found = new Set<Transferable>()
  collect(messages, found, 5)
  port.postMessage(messages, [...found])
}

function collect(value: unknown, found: Set<Transferable>, depth: number) {
  if (typeof value !== 'object' || value === null || depth < 0 || kept.has(value)) return
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer)
  } else if (globalThis.MessagePort && value instanceof MessagePort) {
    found.add(value)
  } else if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) {
    for (const part of Object.values(value)) {
      if (typeof part === 'object') collect(part, found, depth - 1)
    }
  }
}
