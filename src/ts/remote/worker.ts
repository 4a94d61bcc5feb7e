import type { Args } from '../contract/calls.js'
import { rpcWith, type MessageTarget, type Rpc } from '../messages/rpc.js'
import type { Backend } from '../contract/backend.js'
import { NidusError, packError } from '../errors/errors.js'
import { browserOpen } from '../stores/browser-open.js'
import { browserDestroy, browserList, browserSalvage } from '../stores/browser-upkeep.js'
import { locks } from '../runtime/web-locks.js'
import { lifeLock } from '../tabs/locks.js'
import { destroyAlone, openShared } from '../tabs/open.js'
import { answer, callsOf, packOpened, taken } from '../messages/answer.js'
import { VERSION, type PageSide, type WorkerSide } from './protocol.js'

/**
 * Serves one store to the page that started this worker. `needsWhole` is given in the small worker, which knows only
 * OPFS: it is the error that is thrown where an open needs more. `more` gives the functions that only the other one
 * has.
 */
export function serve(
  scope: MessageTarget,
  needsWhole?: Error,
  more?: (page: Rpc<PageSide>) => Pick<WorkerSide, 'searchWorkerFailed'>,
) {
  let store: Backend | undefined

  const calls = callsOf(
    () => {
      if (!store) throw new NidusError('CLOSED', 'no store is open')
      return store
    },
    (number, done, total) => page.tell('progress', number, done, total),
  )
  const functions: WorkerSide = {
    hello: async () => ({ version: VERSION, life: locks() && (await lifeLock().catch(() => undefined)) }),
    open: (spec, wasm, replace) =>
      answer(async () => {
        const source = replace === undefined ? undefined : { replace, parts: async () => taken(await page.ask('part')) }
        const opened = await openShared(
          spec,
          (spec) => browserOpen(spec, wasm, source),
          source !== undefined,
          (...tab) => page.tell('direct', ...tab),
        ).catch((error: unknown) => {
          if (!needsWhole || error !== needsWhole) throw error
        })
        // Also refused for a follower, since a follower can become the leader at any time.
        if (!opened || (needsWhole && opened.storage !== 'opfs')) {
          await opened?.close()
          return undefined
        }
        store = opened
        store.onCompactionError = (error) => page.tell('compactionError', packError(error))
        void store.closed.then((reason) => {
          if (reason.reason === 'failed') page.tell('failed', packError(reason.error))
        })
        return packOpened(store)
      }),
    ...calls,
    call: async (number, method, args, progress, ticket) => {
      const answered = await calls.call(number, method, args, progress, ticket)
      // A buffer that was sent on to another tab has no bytes any more.
      const spare: Float32Array | undefined = method === 'upsert' ? (args as Args<'upsert'>).vectors : undefined
      return spare?.byteLength ? { ...answered, spare } : answered
    },
    close: () => answer(async () => (await store?.close(), undefined)),
    list: (storage) => answer(() => browserList(storage)),
    destroy: (storage, name) =>
      answer(async () => (await destroyAlone(name, () => browserDestroy(storage, name)), undefined)),
    salvage: (storage, spec, wasm) => answer(() => browserSalvage(storage, spec, wasm)),
  }

  const page = rpcWith<PageSide>(scope, functions)
  Object.assign(functions, more?.(page))
}
