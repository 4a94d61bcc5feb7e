import type { Backend, OpenSpec } from '../contract/backend.js'
import type { Engine } from '../engine/engine.js'
import { NidusError } from '../errors/errors.js'
import { holdNow, locks } from '../runtime/web-locks.js'
import { leaderLock } from './locks.js'
import type { TellPage } from './protocol.js'
import { SharedStore } from './shared-store.js'

/**
 * Opens a store that several tabs may have open. Opens it for this caller only if it is in memory or read-only, or if
 * the browser has no locks or no broadcast channels.
 *
 * @param alone true: fail if another tab has the store open
 */
export async function openShared(
  spec: OpenSpec,
  openStore: (spec: OpenSpec) => Promise<Engine>,
  alone = false,
  tellPage: TellPage = () => {},
): Promise<Backend> {
  const canShare = locks() !== undefined && typeof BroadcastChannel !== 'undefined'
  return spec.storage !== 'memory' && !spec.readOnly && canShare
    ? SharedStore.open(spec, openStore, alone, tellPage)
    : openStore(spec)
}

/** Destroys a store, or throws `LOCKED` if it is open anywhere. */
export async function destroyAlone(name: string, destroy: () => Promise<void>): Promise<void> {
  const release = await holdNow(leaderLock(name))
  if (!release)
    throw new NidusError('LOCKED', `the store "${name}" is open in this page, in another tab or in a worker: close it`)
  await destroy().finally(release)
}
