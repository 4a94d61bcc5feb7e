/** A worker that searches a part of the rows, as far as the pool uses it. */
export interface SearchWorker {
  postMessage(message: unknown, transfer: Transferable[]): void
  addEventListener(
    type: 'message' | 'error' | 'messageerror',
    listener: (event: { data?: unknown; message?: string; preventDefault?(): void }) => void,
  ): void
  terminate(): void
}
