import { invalid, reading } from '../errors/errors.js'
import { SESSION, type OwnHost } from '../contract/host.js'
import { describe } from '../core/wire.js'
import type { StorageHost } from '../types/index.js'

const METHODS = ['open', 'create', 'promote', 'commit', 'close', 'destroy'] as const

/**
 * Returns a host around one that the caller wrote. Its methods are checked. Its handles may keep the bytes that they
 * are given, so they get copies.
 */
export function userHost(own: StorageHost & { [SESSION]?: (name?: string) => OwnHost }, name?: string): OwnHost {
  const session = reading('the storage host', () => own[SESSION])
  if (session) return session(name)
  for (const method of METHODS) {
    if (typeof own[method] !== 'function') throw invalid(`the storage host has no method ${method}`)
  }
  if (typeof own.kind !== 'string' || own.kind === '')
    throw invalid(`the storage host's kind must be a string, not ${describe(own.kind)}`)
  return {
    kind: own.kind,
    lendViews: false,
    transactional: own.transactional === true,
    // These functions are async, so that an error that is thrown at once becomes a rejection, too.
    open: async (mode) => own.open(mode),
    create: async () => own.create(),
    promote: async (files) => own.promote(files),
    commit: async () => own.commit(),
    close: async () => own.close(),
    destroy: async () => own.destroy(),
    ...(own.drain && { drain: async (all) => own.drain!(all) }),
  }
}
