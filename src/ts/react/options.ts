import { OPEN, type KeysOf, type Known } from '../arguments/keys.js'
import { checkName, checkOptions } from '../arguments/options.js'
import { describe } from '../core/wire.js'
import { invalid } from '../errors/errors.js'
import { keyOfOpen } from '../live/openings.js'
import { KNOWN, checkLive, type Checked } from '../live/options.js'
import { keyOf } from '../live/same.js'
import type { OpenOptions } from '../types/index.js'
import type { Searchable } from '../types/live.js'
import type { UseNidusOptions } from '../types/react.js'

const USE = { ...OPEN, open: 1, suspense: 1 } satisfies KeysOf<UseNidusOptions>

export function checkSuspense(suspense: unknown, place: string): boolean {
  if (suspense !== undefined && typeof suspense !== 'boolean')
    throw invalid(`${place}: suspense is true or false, not ${describe(suspense)}`)
  return suspense === true
}

export interface Use {
  key: string
  name: string
  open: (name: string) => PromiseLike<Searchable>
  suspense: boolean
}

const openHere = async (name: string, options: OpenOptions) => (await import('nidus-wasm')).Nidus.open(name, options)

export function checkUse(name: unknown, given: UseNidusOptions<Searchable> | undefined): Use | undefined {
  const { open, suspense, ...options } = checkOptions(given, USE, 'useNidus') as UseNidusOptions<Searchable>
  if (open !== undefined && typeof open !== 'function')
    throw invalid(`useNidus: open is a function that opens the store of a name, not ${describe(open)}`)
  const suspends = checkSuspense(suspense, 'useNidus')
  if (name === null || name === undefined) return undefined
  const checked = checkName(name)
  return {
    key: `${keyOfOpen(checked, keyOf(options))}${open ? '' : ' nidus-wasm'}`,
    name: checked,
    open: (name) => (open ?? openHere)(name, options),
    suspense: suspends,
  }
}

const SEARCH = { ...KNOWN, suspense: 1 } satisfies Known

export function checkUseSearch(given: object | undefined): Checked & { suspense: boolean } {
  const { own, asked } = checkLive(given, 'useSearch', SEARCH)
  const { suspense, ...rest } = asked
  return { own, asked: rest, suspense: checkSuspense(suspense, 'useSearch') }
}
