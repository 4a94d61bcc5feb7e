import type { Method } from './backend.js'

const WRITES = ['createCollection', 'dropCollection', 'setMeta', 'upsert', 'delete', 'deleteWhere'] as const
const OTHERS = ['flush', 'compact', 'exportBegin', 'exportRead', 'exportEnd'] as const

export type Writes = (typeof WRITES)[number]
export type Reads = Exclude<Method, Writes | (typeof OTHERS)[number]>

export const isWrite = (method: Method): method is Writes => (WRITES as readonly Method[]).includes(method)
export const isRead = (method: Method): method is Reads => !isWrite(method) && !(OTHERS as readonly Method[]).includes(method)
