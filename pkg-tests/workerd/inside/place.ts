import type { DurableStorage } from 'nidus-wasm/durable-object'

export interface Place {
  storage: DurableStorage & { transaction(work: () => Promise<void>): Promise<void>; deleteAll(): Promise<void> }
  blockConcurrencyWhile<T>(work: () => Promise<T>): Promise<T>
}
let place: Place

/** Returns the object in which the running test is. Tests run one after the other. */
export function use(next?: Place): Place {
  if (next) place = next
  return place
}
