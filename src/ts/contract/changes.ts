/** A place in the sequence of changes that one opening of the store reports. */
export interface Cursor {
  readonly feed: string
  readonly at: number
}

/** Stands for `setText` where it makes the collection. */
export const CREATE_WITH_TEXT = 'createWithText'

/** One write that was committed. */
export interface Change {
  /** The name of its call, or `CREATE_WITH_TEXT`. */
  readonly method: string
  readonly collection: string
  /** The number of records that it upserted, updated or deleted, or 0. */
  readonly count: number
  /** True if the opening that asks made it. */
  readonly local: boolean
  /** The encoded ids of those records, if they are wanted. */
  readonly ids: Uint8Array | undefined
}

export interface ChangesArgs {
  /**
   * The answer has the changes after this place. Undefined: listening begins now, and the answer is the place to ask
   * from.
   */
  readonly after?: Cursor | undefined
  /** True if ids are wanted. */
  readonly ids?: boolean
  /** True: listening ends. A call that still waits is answered without changes. */
  readonly end?: boolean
}

export interface Changes {
  readonly changes: readonly Change[]
  /** True if it is not known what happened after the place that was given. */
  readonly reset: boolean
  /** The place after the last of `changes`. */
  readonly next: Cursor
}
