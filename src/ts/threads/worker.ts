import { Segment } from '../core/core.js'
import type { WasmSource } from '../types/segment.js'
import { loadCore } from '../core/load.js'
import { breathe } from '../runtime/schedule.js'

/** A task of a search worker: its name and its arguments. Tasks are done in their order. */
export type Task =
  | ['open', wasm: WasmSource | undefined, dimension: number]
  | ['append', rows: Float32Array]
  | ['code']
  | ['clear']
  | ['best', queries: Float32Array, topK: number, minScore: number, only: Uint16Array | undefined]
export interface BestRows {
  rows: Float64Array
  scores: Float32Array
  counts: Uint32Array
}
export interface Request {
  task: number
  ask: Task
}
export type Reply = { task: number; found?: BestRows } | { task: number; error: string }

export interface Scope {
  postMessage(message: unknown, transfer: Transferable[]): void
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void
}

/** Serves a pool in a search worker: keeps the rows that were dealt to it, makes their codes, and searches them. */
export function serveSearchWorker(scope: Scope) {
  let segment: Segment | undefined
  let coding: Promise<void> | undefined
  const code = async () => {
    do await breathe()
    while (!segment!.codeStep())
    coding = undefined
  }
  const work = async (ask: Task): Promise<BestRows | undefined> => {
    switch (ask[0]) {
      case 'open':
        await loadCore(ask[1])
        segment = Segment.inMemory(ask[2])
        return
      case 'append':
        segment!.append(ask[1])
        coding ??= code()
        return
      case 'code':
        return (await coding, undefined)
      case 'clear':
        segment!.truncateTo(0)
        return
      case 'best': {
        const hits = segment!.best(ask[1], ask[2], ask[3], ask[4], true)
        try {
          const { rows, scores, counts } = hits
          return { rows, scores, counts }
        } finally {
          hits.free()
        }
      }
    }
  }
  scope.addEventListener('message', ({ data }) => {
    const request = data as Request
    if (!request || typeof request.task !== 'number') return
    work(request.ask).then(
      (found) =>
        scope.postMessage(
          { task: request.task, found } satisfies Reply,
          found ? ([found.rows.buffer, found.scores.buffer, found.counts.buffer] as ArrayBuffer[]) : [],
        ),
      (error: unknown) => scope.postMessage({ task: request.task, error: String(error) } satisfies Reply, []),
    )
  })
}
