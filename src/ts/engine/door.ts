import { loadPart } from '../core/parts.js'
import type { Method } from '../contract/calls.js'
import type { AnyCall } from './core-calls.js'

/** Lets calls pass in their order. If one needs the rest of the core, it and later ones wait until it is loaded. */
export class Door {
  #loading: Promise<void> | undefined

  /** Does the work of a call, now or later. */
  pass<T>(call: AnyCall, work: () => T): T | Promise<Awaited<T>> {
    if (this.#loading) {
      const again = () => this.pass(call, work) as Awaited<T>
      return this.#loading.then(again, again)
    }
    const loading = needsRest(call) ? loadPart('rest') : undefined
    if (!loading) return work()
    this.#loading = loading.finally(() => (this.#loading = undefined))
    return this.#loading.then(work as () => Awaited<T>)
  }

  /** Returns a promise if calls wait. It is kept once none does. */
  passed(): Promise<void> | undefined {
    const again = () => this.passed()
    return this.#loading?.then(again, again)
  }
}

const OF_THE_REST: Method[] = ['deleteWhere', 'dropCollection', 'update', 'records', 'setMeta']

const needsRest = ({ method, args }: AnyCall) =>
  OF_THE_REST.includes(method) || ((method === 'search' || method === 'count') && args.filter.length > 0)
