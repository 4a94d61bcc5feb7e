import type { DurableStorage } from 'nidus-wasm/durable-object'

export interface Place {
  storage: DurableStorage & { transaction(work: () => Promise<void>): Promise<void>; deleteAll(): Promise<void> }
  blockConcurrencyWhile<T>(work: () => Promise<T>): Promise<T>
}
let place: Place

/** The object that the running test is in. Tests run one after the other. */
export function use(next?: Place): Place {
  if (next) place = next
  return place
}
