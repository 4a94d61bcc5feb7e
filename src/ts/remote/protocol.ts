import type { OpenSpec, Parts, SalvageSpec } from '../contract/backend.js'
import type { Method } from '../contract/calls.js'
import type { Ticket } from '../contract/tickets.js'
import type { ErrorMessage } from '../errors/errors.js'
import type { SalvageReport, StoreInfo, StorageKind } from '../types/index.js'
import type { Answer, Opened } from '../messages/answer.js'
import type { TellPage } from '../tabs/protocol.js'

/** The version of these messages. Caches or bundlers may bring page and worker from different builds of the package. */
export const VERSION = 13

export type WireSource = string | ArrayBuffer | WebAssembly.Module

/** The functions of the worker. `number` identifies a call; `cancel` and `progress` refer to it. */
export interface WorkerSide {
  /** `life` names a lock that is free once the worker has ended. */
  hello(): Promise<{ version: number; life: string | undefined }>
  /**
   * `replace` is given for an import; the worker then asks the page for the bytes. The result is undefined if only the
   * worker that has everything can open the store.
   */
  open(spec: OpenSpec, wasm: WireSource | undefined, replace: boolean | undefined): Promise<Answer<Opened | undefined>>
  /** `spare` is the memory of an upsert's vectors, to be used for the next upsert. */
  call(
    number: number,
    method: Method,
    args: object,
    progress: boolean,
    ticket: Ticket | undefined,
  ): Promise<Answer<unknown> & { spare?: Float32Array }>
  cancel(number: number): void
  /** A search worker that the page started has ended, or could not be started. Only the whole worker has this. */
  searchWorkerFailed?(number: number, message: string): void
  close(): Promise<Answer<undefined>>
  list(storage: StorageKind | undefined): Promise<Answer<StoreInfo[]>>
  destroy(storage: StorageKind | undefined, name: string): Promise<Answer<undefined>>
  salvage(
    storage: StorageKind | undefined,
    spec: SalvageSpec,
    wasm: WireSource | undefined,
  ): Promise<Answer<SalvageReport>>
}

/** The functions of the page. */
export interface PageSide {
  part(): Promise<Answer<Awaited<ReturnType<Parts>>>>
  progress(number: number, done: number, total: number): void
  failed(error: ErrorMessage): void
  compactionError(error: ErrorMessage): void
  direct: TellPage
  /** Starts a search worker, which gets its tasks by `port`. Without a port, ends the one that has this number. */
  searchWorker(number: number, port?: MessagePort): void
}
