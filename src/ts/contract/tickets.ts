/** Names a write, so that it is made once, however often and of whomever it is asked. */
export interface Ticket {
  sender: string
  /** Ascending, and a sender's writes reach the store in their order. */
  number: number
  /** The sender had the answers to all before this one. */
  floor: number
  /** 1: it was asked before. 2: and is not wanted any more, or its data are gone: was it made? */
  again: number
}

/** Sixteen letters, which begin with the time: of later ones it is known that they were never forgotten. */
export const newSender = () =>
  Date.now().toString(36).padStart(9, '0') +
  Array.from(crypto.getRandomValues(new Uint8Array(7)), (n) => (n % 36).toString(36)).join('')
