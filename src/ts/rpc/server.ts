import { createBirpc } from 'birpc'
import type { CallOptions, Method } from '../engine/backend.js'
import { Engine } from '../engine/engine.js'
import { NidusError, packError } from '../errors.js'
import { browserDestroy, browserList, withHost } from '../hosts/browser.js'
import { VERSION, poster, type Answer, type PageSide, type WorkerSide } from './protocol.js'

interface Scope {
  postMessage(message: unknown, transfer: Transferable[]): void
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void
}

async function answer<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: await work() }
  } catch (error) {
    return { error: packError(error) }
  }
}

/** The worker: one store, and the page that opened it. */
export function serve(scope: Scope) {
  let engine: Engine | undefined
  const calls = new Map<number, AbortController>()

  const functions: WorkerSide = {
    hello: () => ({ version: VERSION }),
    open: (spec, wasm) =>
      answer(async () => {
        engine = await withHost(spec, (host) => Engine.open(spec, host, wasm))
        void engine.closed.then((reason) => {
          if (reason.reason === 'failed') void page.failed.asEvent(packError(reason.error))
        })
        const { compactionError, ...recovery } = engine.recovery
        return { dimension: engine.dimension, storage: engine.storage, recovery: { ...recovery, ...(compactionError && { compactionError: packError(compactionError) }) } }
      }),
    call: (number, method, args, progress) =>
      answer(async () => {
        if (!engine) throw new NidusError('CLOSED', 'no store is open')
        const abort = new AbortController()
        calls.set(number, abort)
        const options: CallOptions = { signal: abort.signal }
        if (progress) options.onProgress = (done, total) => void page.progress.asEvent(number, done, total)
        try {
          return await engine.call<Method>(method, args as never, options)
        } finally {
          calls.delete(number)
        }
      }),
    cancel: (number) => calls.get(number)?.abort(),
    close: () =>
      answer(async () => {
        await engine?.close()
        return undefined
      }),
    list: (storage) => answer(() => browserList(storage)),
    destroy: (storage, name) =>
      answer(async () => {
        await browserDestroy(storage, name)
        return undefined
      }),
  }

  const page = createBirpc<PageSide, WorkerSide>(functions, {
    post: poster(scope),
    on: (receive) => scope.addEventListener('message', ({ data }) => (data as unknown[]).forEach((message) => receive(message))),
    eventNames: ['progress', 'failed'],
    timeout: -1,
  })
}
