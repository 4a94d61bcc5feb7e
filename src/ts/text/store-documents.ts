import { encodeIds } from '../core/wire.js'
import type { TextHost } from '../engine/text-host.js'

// `Store.documents` is one call, because every exported function makes a page's download larger. These are the three
// questions that it answers. `src/ts/core/core.d.ts` has the bytes of each answer.

/** Returns whether all documents may have changed since the last call, and the numbers of those that did. */
export const changedDocuments = ({ store, run }: TextHost) => run(() => store.documents())

/** Returns where the log ends, and the row of each document. */
export const rowsOfDocuments = ({ store, run }: TextHost) => run(() => store.documents(undefined, new Uint8Array(0)))

/** Returns collection, id and attributes of documents. Of the attributes it returns those of `keys`. Undefined: all. */
export const readDocuments = ({ store, run }: TextHost, docs: Uint32Array, keys?: readonly string[]) =>
  run(() => store.documents(docs, keys && encodeIds(keys)))

/** Returns collection and id of documents. */
export const readNames = (host: TextHost, docs: Uint32Array) => readDocuments(host, docs, [])
