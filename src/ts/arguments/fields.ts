import { invalid } from '../errors/errors.js'
import { describe } from '../core/wire.js'

const listed = (names: string[]) => names.map((name) => describe(name)).join(', ')

/** Throws INVALID_ARGUMENT if no collection of the search has settings, or none has one of the fields. */
export function checkFields(
  known: string[],
  {
    collections,
    fields,
    highlight,
  }: { collections: string[] | undefined; fields: string[] | undefined; highlight: true | string[] | undefined },
) {
  if (collections?.length === 0) return
  if (known.length === 0)
    throw invalid(
      `no text is searched in ${collections ? listed(collections) : 'the store'}: ` +
        'call setText(collection, fields) once, which says where words are',
    )
  for (const field of [...(fields ?? []), ...(Array.isArray(highlight) ? highlight : [])])
    if (!known.includes(field))
      throw invalid(`no text is searched in the field ${describe(field)}; there are ${listed(known)}`)
}
