import { TEXT_KEY } from '../contract/text.js'
import { FIELD, checkKeys } from '../arguments/keys.js'
import { NidusError, invalid } from '../errors/errors.js'
import { checkString, decodeMeta, describe, encodeMeta, isPlainObject } from '../core/wire.js'
import type { TextSettings } from '../types/index.js'

const VERSION = 1
/** The version of the rule that finds the words of a text: see SPEC.md, section "Words". */
const ANALYZER = 1

/** The most fields of a collection that an index takes. */
const MOST_FIELDS = 250
/** Scores with smaller or greater weights would not be numbers that can be compared. */
const LEAST_WEIGHT = 1e-9
const MOST_WEIGHT = 1e9
const isWeight = (weight: unknown): weight is number =>
  typeof weight === 'number' && weight >= LEAST_WEIGHT && weight <= MOST_WEIGHT

export const encodeSettings = (fields: TextSettings): string =>
  JSON.stringify({ v: VERSION, analyzer: ANALYZER, fields })

/** Returns whether settings have exactly these fields, in any order and with any weights. */
export const hasFields = (settings: TextSettings, names: string[]): boolean =>
  Object.keys(settings).length === names.length && names.every((name) => Object.hasOwn(settings, name))

/** Returns the settings that a caller gave, with a weight for each field. */
export function settingsOf(config: unknown): TextSettings {
  const settings: TextSettings = {}
  const add = (name: unknown, weight: number) => {
    checkString(name, () => 'a field of the texts')
    Object.defineProperty(settings, name, { value: { weight }, enumerable: true, configurable: true })
  }
  if (typeof config === 'string') add(config, 1)
  else if (Array.isArray(config)) for (const name of config as unknown[]) add(name, 1)
  else if (isPlainObject(config)) {
    for (const [name, field] of Object.entries(config)) {
      if (!isPlainObject(field)) throw invalid(`the field ${describe(name)} must be an object, not ${describe(field)}`)
      checkKeys(field, FIELD, `the field ${describe(name)}`)
      const { weight = 1 } = field
      if (!isWeight(weight))
        throw invalid(
          `the weight of ${describe(name)} must be a number from ${LEAST_WEIGHT} to ${MOST_WEIGHT}, not ` +
            describe(weight),
        )
      add(name, weight)
    }
  } else throw invalid(`text is a field, an array of fields or an object of fields, not ${describe(config)}`)
  const count = Object.keys(settings).length
  if (count === 0) throw invalid('text names no field')
  if (count > MOST_FIELDS) throw invalid(`text names ${count} fields, more than ${MOST_FIELDS}`)
  return settings
}

/**
 * Returns the settings that a collection's metadata hold. Throws UNSUPPORTED if a newer version of this package or
 * another program wrote them.
 */
export function decodeSettings(collection: string, text: string): TextSettings {
  const unsupported = (why: string) =>
    new NidusError(
      'UNSUPPORTED',
      `the text settings of "${collection}" ${why}; vectors are found as before, and ` +
        '`setText` replaces the settings',
    )
  let found: { v?: unknown; analyzer?: unknown; fields?: unknown } | null
  try {
    found = JSON.parse(text) as typeof found
  } catch {
    throw unsupported('cannot be read')
  }
  if (typeof found !== 'object' || found === null || typeof found.v !== 'number') throw unsupported('cannot be read')
  if (found.v !== VERSION || found.analyzer !== ANALYZER) throw unsupported('are of another version of this package')
  const { fields } = found
  if (typeof fields !== 'object' || fields === null) throw unsupported('name no fields')
  const settings: TextSettings = {}
  for (const [name, field] of Object.entries(fields as { [name: string]: { weight?: unknown } | null })) {
    const weight = field?.weight ?? 1
    if (!isWeight(weight)) throw unsupported('have a wrong weight')
    Object.defineProperty(settings, name, { value: { weight }, enumerable: true })
  }
  return settings
}

/** Returns a collection's metadata with other text settings, or with none. */
export function withSettings(meta: Uint8Array, settings: string | undefined): Uint8Array {
  const { [TEXT_KEY]: _, ...others } = decodeMeta(meta)
  return encodeMeta(settings === undefined ? others : { ...others, [TEXT_KEY]: settings })
}
