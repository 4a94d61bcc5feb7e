/** The messages between the page and the worker that runs the race. */

export type Lane = 'vectors' | 'words'

export interface Start {
  /** The addresses of the texts, of the vectors, and of the store's worker. */
  texts: string
  vectors: string
  store: string
}

export type FromRace =
  | { type: 'state'; text: string }
  | { type: 'result'; lane: Lane; name: string; milliseconds: number; searches: number; ours: boolean }
  | { type: 'end' }
  | { type: 'failed'; message: string }
