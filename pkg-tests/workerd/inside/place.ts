import type { DurableStorage } from 'nidus-wasm/durable-object'

export interface Place { storage: DurableStorage }
let place: Place

/** The object that the running test is in. Tests run one after the other. */
export function use(next?: Place): Place {
  if (next) place = next
  return place
}
