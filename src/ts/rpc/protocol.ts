import type { Method, OpenSpec, Parts } from '../engine/backend.js'
import type { Ticket } from '../engine/tickets.js'
import type { SalvageSpec } from '../engine/salvage.js'
import type { ErrorMessage } from '../errors.js'
import type { RecoveryReport, StoreInfo, StorageKind } from '../types/index.js'
import type { Answer, Opened } from './answer.js'

/** Page and worker may come from different builds of the package (caches, bundlers): they must say so, not guess. */
export const VERSION = 6

export type WireSource = string | ArrayBuffer | WebAssembly.Module

/** What the worker does. `number` is the call's own: cancel and progress name it. */
export interface WorkerSide {
  /** `life`: a lock that is free once the worker is gone. */
  hello(): Promise<{ version: number; life: string | undefined }>
  /** `replace`: an import, whose bytes are to be asked for. Undefined: it takes the worker that has everything. */
  open(spec: OpenSpec, wasm: WireSource | undefined, replace: boolean | undefined): Promise<Answer<Opened | undefined>>
  /** `spare`: the memory of an upsert's vectors, for the next one's. */
  call(number: number, method: Method, args: unknown[], progress: boolean, ticket: Ticket | undefined): Promise<Answer<unknown> & { spare?: Float32Array }>
  cancel(number: number): void
  close(): Promise<Answer<undefined>>
  list(storage: StorageKind | undefined): Promise<Answer<StoreInfo[]>>
  destroy(storage: StorageKind | undefined, name: string): Promise<Answer<undefined>>
  salvage(storage: StorageKind | undefined, spec: SalvageSpec, wasm: WireSource | undefined): Promise<Answer<RecoveryReport>>
}

/** What the page is told unasked, and asked for. */
export interface PageSide {
  part(): Promise<Answer<Awaited<ReturnType<Parts>>>>
  progress(number: number, done: number, total: number): void
  failed(error: ErrorMessage): void
  compactionError(error: ErrorMessage): void
}

export interface Port {
  postMessage(message: unknown, transfer: Transferable[]): void
}

/**
 * Messages of one turn go as one, so that calls made together arrive together and share a commit.
 * Every typed array in them is a copy made for the journey, so its buffer goes along instead of being copied again.
 */
export function poster(port: Port): (message: unknown) => Promise<void> {
  let waiting: { message: unknown; resolve: () => void; reject: (error: unknown) => void }[] = []
  const flush = () => {
    const batch = waiting
    waiting = []
    try {
      post(port, batch.map(({ message }) => message))
      for (const { resolve } of batch) resolve()
    } catch {
      // One that cannot be cloned must not take the others with it.
      for (const { message, resolve, reject } of batch) {
        try {
          post(port, [message])
          resolve()
        } catch (error) {
          reject(error)
        }
      }
    }
  }
  return (message) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ message, resolve, reject }) === 1) queueMicrotask(flush)
    })
}

function post(port: Port, messages: unknown[]) {
  const buffers = new Set<ArrayBuffer>()
  collect(messages, buffers, 5)
  port.postMessage(messages, [...buffers])
}

function collect(value: unknown, buffers: Set<ArrayBuffer>, depth: number) {
  if (typeof value !== 'object' || value === null || depth < 0) return
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) buffers.add(value.buffer)
  } else if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) {
    for (const part of Object.values(value)) {
      if (typeof part === 'object') collect(part, buffers, depth - 1)
    }
  }
}
