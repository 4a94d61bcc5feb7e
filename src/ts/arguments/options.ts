import type { OpenSpec } from '../contract/backend.js'
import { NidusError, invalid, reading } from '../errors/errors.js'
import { checkKeys, type KeysOf } from './keys.js'
import type { OpenOptions, StorageHost, StorageKind } from '../types/index.js'
import { checkString, describe, isPlainObject } from '../core/wire.js'

const KINDS: readonly string[] = ['opfs', 'indexeddb', 'fs', 'memory'] satisfies StorageKind[]

export function checkName(name: unknown, what = "the store's name"): string {
  checkString(name, () => what)
  if (name === '') throw invalid(`${what} is empty`)
  return name
}

export function checkStorage(
  storage: unknown,
  otherwise: StorageKind | undefined,
): StorageKind | StorageHost | undefined {
  if (storage === undefined) return otherwise
  if (typeof storage === 'object' && storage !== null) return storage as StorageHost
  if (typeof storage !== 'string' || !KINDS.includes(storage))
    throw invalid(`storage is ${describe(storage)}; there are ${KINDS.join(', ')}, or a host of your own`)
  return storage as StorageKind
}

/** The options that have the same type in every call. */
const TYPES: { [type: string]: string[] } = {
  boolean: ['readOnly', 'multiTab', 'withVectors', 'transfer', 'replace', 'request'],
  function: ['worker', 'onProgress', 'fetch'],
  string: ['root', 'name'],
}

/** Throws if `wasm` has a wrong type. Loading would not find that out if a module is loaded already. */
export function checkWasm(wasm: unknown) {
  if (
    wasm === undefined ||
    typeof wasm === 'string' ||
    /URL|Response|\wArray|Buffer|View|Module/.test(Object.prototype.toString.call(wasm))
  )
    return
  throw invalid(`wasm can be an address, a Response, bytes or a WebAssembly.Module, not ${describe(wasm)}`)
}

/** Returns a checked copy of the options, and reads each of them once. `place` names the call that they are for. */
export function checkOptions<T extends object>(options: T | undefined, known: KeysOf<T>, place: string): Partial<T> {
  const own: Partial<T> = {}
  if (options === undefined) return own
  return reading(`${place}: the options`, () => {
    if (!isPlainObject(options)) throw invalid(`${place}: options must be an object, not ${describe(options)}`)
    checkKeys(options, known, place, 'option')
    for (const key in known) {
      const value = (own[key as keyof T] = (options as T)[key as keyof T])
      for (const type in TYPES) {
        if (value !== undefined && typeof value !== type && TYPES[type].includes(key))
          throw invalid(`${place}: ${key} must be a ${type}, not ${describe(value)}`)
      }
    }
    checkWasm((own as OpenOptions).wasm)
    return own
  })
}

export const oneOf = (value: unknown, what: string, values: readonly unknown[]) => {
  if (value !== undefined && !values.includes(value))
    throw invalid(`${what} is ${describe(value)}; it can be ${values.map(describe).join(' or ')}`)
}

export function checkDimension(dimension: unknown): number {
  if (!Number.isInteger(dimension) || (dimension as number) < 1 || (dimension as number) > 65_536)
    throw invalid(`dimension must be an integer from 1 to 65536, not ${describe(dimension)}`)
  return dimension as number
}

export function checkOpen(
  name: unknown,
  options: Partial<OpenOptions>,
  storage: StorageKind | StorageHost | undefined,
): OpenSpec {
  const {
    dimension,
    readOnly,
    durability,
    autoCompact = 0.5,
    maxVectorBytes,
    compat,
    memory,
    workers,
    multiTab,
  } = options
  if (dimension !== undefined) checkDimension(dimension)
  oneOf(durability, 'durability', ['strict', 'relaxed'])
  oneOf(compat, 'compat', ['0.3'])
  oneOf(memory, 'memory', ['full', 'compact'])
  if (autoCompact !== false && !(typeof autoCompact === 'number' && autoCompact >= 0 && autoCompact <= 1)) {
    throw invalid(`autoCompact must be a number from 0 to 1, or false, not ${describe(autoCompact)}`)
  }
  if (maxVectorBytes !== undefined && !(Number.isSafeInteger(maxVectorBytes) && maxVectorBytes >= 0)) {
    throw invalid(`maxVectorBytes must be an integer from 0 up, not ${describe(maxVectorBytes)}`)
  }
  if (workers !== undefined && !(Number.isInteger(workers) && workers >= 1 && workers <= 256))
    throw invalid(`workers must be an integer from 1 to 256, not ${describe(workers)}`)
  if (memory === 'compact' && storage === 'memory')
    throw new NidusError('UNSUPPORTED', 'storage: "memory" has all rows in memory: leave out memory: "compact"')
  if (multiTab && (typeof storage === 'object' || storage === 'fs' || storage === 'memory'))
    throw new NidusError('UNSUPPORTED', 'multiTab is for stores in opfs and indexeddb: leave it out here')
  if (memory === 'compact' && workers !== undefined && workers > 1)
    throw new NidusError('UNSUPPORTED', 'workers > 1 needs memory: "full"; with "compact" use workers: 1')
  return {
    name: checkName(name),
    storage: typeof storage === 'object' ? 'own' : storage,
    dimension,
    readOnly: readOnly === true,
    relaxed: durability === 'relaxed',
    autoCompact: autoCompact === false ? Infinity : autoCompact,
    maxVectorBytes,
    compat,
    compactMemory: memory === 'compact',
    workers: workers ?? 1,
    multiTab: multiTab !== false,
  }
}
