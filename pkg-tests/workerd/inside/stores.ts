import { Nidus, type OpenOptions } from 'nidus-wasm'
import { durableObject, type DurableStorage } from 'nidus-wasm/durable-object'
import { use } from './place'
import { sql } from './tools'

export const D = 4
export const open = (options: OpenOptions = {}, storage: DurableStorage = use().storage) =>
  Nidus.open('x', { dimension: D, storage: durableObject(storage), ...options })

/** Changes the object's store to what an earlier version left, which had no names. */
export const asBefore = () => sql(`UPDATE nidus_stores SET name = 'default'`)
export const named = (name: string, options: OpenOptions = {}) =>
  Nidus.open(name, { dimension: D, storage: durableObject(use().storage), ...options })
