/** Identifies a write. It is made only once, even if it is sent several times and to several workers or tabs. */
export interface Ticket {
  sender: string
  /** Later writes of a sender have higher numbers, and reach the store in this order. */
  number: number
  /** The sender has the answers to all its writes with a lower number than this. */
  floor: number
  /**
   * 0: the write is sent for the first time. 1: it was sent before. 2: it was sent before, and is only sent again to
   * learn whether it was made, because it was aborted or its data are gone.
   */
  again: number
}

/**
 * Returns a new sender, sixteen letters that begin with the time. The time shows whether the sender is older than the
 * receipts that a store has forgotten.
 */
export const newSender = () =>
  Date.now().toString(36).padStart(9, '0') +
  Array.from(crypto.getRandomValues(new Uint8Array(7)), (n) => (n % 36).toString(36)).join('')
