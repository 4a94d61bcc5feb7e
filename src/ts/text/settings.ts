import { TEXT_KEY } from '../contract/text.js'
import { NidusError } from '../errors/errors.js'
import { decodeMeta, encodeMeta } from '../core/wire.js'
import type { TextSettings } from '../types/index.js'

const VERSION = 1
/** Which words a text has: the rule of SPEC.md, section "Words". */
const ANALYZER = 1

export const encodeSettings = (fields: TextSettings): string =>
  JSON.stringify({ v: VERSION, analyzer: ANALYZER, fields })

/**
 * Returns the settings that a collection's metadata hold. Throws UNSUPPORTED if a newer version of this package wrote
 * them, or somebody else did.
 */
export function decodeSettings(collection: string, text: string): TextSettings {
  const unsupported = (why: string) =>
    new NidusError(
      'UNSUPPORTED',
      `the settings of the texts of "${collection}" ${why}; vectors are found as before, and \`setText\` replaces the settings`,
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
    if (typeof weight !== 'number' || !(weight > 0) || !Number.isFinite(weight))
      throw unsupported('have a wrong weight')
    Object.defineProperty(settings, name, { value: { weight }, enumerable: true })
  }
  return settings
}

/** Returns a collection's metadata with other settings of texts, or with none. */
export function withSettings(meta: Uint8Array, settings: string | undefined): Uint8Array {
  const { [TEXT_KEY]: _, ...others } = decodeMeta(meta)
  return encodeMeta(settings === undefined ? others : { ...others, [TEXT_KEY]: settings })
}
