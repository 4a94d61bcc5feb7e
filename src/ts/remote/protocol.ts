import type { OpenSpec, Parts, SalvageSpec } from '../contract/backend.js'
import type { Method } from '../contract/calls.js'
import type { Ticket } from '../contract/tickets.js'
import type { ErrorMessage } from '../errors/errors.js'
import type { SalvageReport, StoreInfo, StorageKind } from '../types/index.js'
import type { Answer, Opened } from '../messages/answer.js'

/** Page and worker may come from different builds of the package (caches, bundlers): they must say so, not guess. */
export const VERSION = 8

export type WireSource = string | ArrayBuffer | WebAssembly.Module

/** What the worker does. `number` is the call's own: cancel and progress name it. */
export interface WorkerSide {
  /** `life`: a lock that is free once the worker is gone. */
  hello(): Promise<{ version: number; life: string | undefined }>
  /** `replace`: an import, whose bytes are to be asked for. Undefined: it takes the worker that has everything. */
  open(spec: OpenSpec, wasm: WireSource | undefined, replace: boolean | undefined): Promise<Answer<Opened | undefined>>
  /** `spare`: the memory of an upsert's vectors, for the next one's. */
  call(
    number: number,
    method: Method,
    args: object,
    progress: boolean,
    ticket: Ticket | undefined,
  ): Promise<Answer<unknown> & { spare?: Float32Array }>
  cancel(number: number): void
  close(): Promise<Answer<undefined>>
  list(storage: StorageKind | undefined): Promise<Answer<StoreInfo[]>>
  destroy(storage: StorageKind | undefined, name: string): Promise<Answer<undefined>>
  salvage(
    storage: StorageKind | undefined,
    spec: SalvageSpec,
    wasm: WireSource | undefined,
  ): Promise<Answer<SalvageReport>>
}

/** What the page is told unasked, and asked for. */
export interface PageSide {
  part(): Promise<Answer<Awaited<ReturnType<Parts>>>>
  progress(number: number, done: number, total: number): void
  failed(error: ErrorMessage): void
  compactionError(error: ErrorMessage): void
}
