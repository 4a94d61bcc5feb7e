import type { Nidus } from '../api/nidus.js'
import { NidusError } from '../errors/errors.js'
import type { AttrValue, Filter, Hit, Hits, QuestionOptions } from '../types/index.js'
import { Usage, type Values } from './args.js'
import { json, keyed, keyedObject, names, numberOf, wholeNumber } from './given.js'
import { count, out, say, table } from './output.js'
import { checkCollection, reading } from './stores.js'
import { remedy, settingsOf } from './text.js'
import { tagged, untagged } from './values.js'

/** The options that only a search for words uses. */
const WORDS = ['match', 'prefix', 'fuzzy', 'forms', 'fields', 'highlight'] as const satisfies (keyof Values)[]
/** The options that change the shape of an answer. */
const SHAPES = ['offset', 'group-by', 'attrs', 'facets', 'explain'] as const satisfies (keyof Values)[]
export const SEARCH: (keyof Values)[] = [
  'vector',
  'like',
  'text',
  'fusion',
  ...WORDS,
  'top',
  'collection',
  'filter',
  'min-score',
  ...SHAPES,
]

/** Prints the documents that are nearest to a vector, or have the words of a text, or both. */
export async function search(directory: string, _: string[], values: Values) {
  const { text, collection } = values
  const byVector = values.vector !== undefined || values.like !== undefined
  if (values.vector !== undefined && values.like !== undefined)
    throw new Usage('search takes --vector or --like, not both')
  if (!byVector && text === undefined) throw new Usage('search needs --text, --vector or --like')
  const useless = text === undefined ? WORDS.find((name) => values[name] !== undefined) : undefined
  if (useless) throw new Usage(`--${useless} needs --text`)
  if (values.fusion !== undefined && !(byVector && text !== undefined))
    throw new Usage('--fusion needs --text, and --vector or --like')
  const options = optionsOf(values)
  await using db = await reading(directory)
  if (text !== undefined) await checkText(db, directory, collection)
  const vector = await vectorOf(db, values)
  const hits = text === undefined ? await db.search(vector!, options) : await db.search({ vector, text }, options)
  const lines = hits.map((hit) => ({
    ...hit,
    attrs: tagged(hit.attrs),
    ...(hit.group !== undefined && { group: tagged(hit.group) }),
  }))
  const facets = hits.facets && (tagged(hits.facets) as NonNullable<typeof hits.facets>)
  const { explain } = hits
  out(values, facets || explain ? { hits: lines, ...(facets && { facets }), ...(explain && { explain }) } : lines, () =>
    show(hits, values),
  )
  return 0
}

async function vectorOf(db: Nidus, { vector, like, collection }: Values) {
  if (vector !== undefined) return json<number[]>(vector, 'vector', JSON.parse)
  if (like === undefined) return undefined
  for (const name of collection !== undefined ? [collection] : await db.collections()) {
    const found = await db.get(name, like)
    if (found) return found.vector
  }
  throw new NidusError('NOT_FOUND', `there is no document "${like}"`)
}

function optionsOf(values: Values): QuestionOptions {
  const filter = untagged(json(values.filter, 'filter'), '--filter') as Filter | undefined
  const options: QuestionOptions = { topK: wholeNumber(values.top, 10, 'top') }
  if (values.collection !== undefined) options.collections = values.collection
  // A filter that is null is passed on, too: the search must refuse it, and not run without a filter.
  if (filter !== undefined) options.filter = filter
  if (values['min-score'] !== undefined) {
    options.minScore = numberOf(values['min-score'])
    if (Number.isNaN(options.minScore)) throw new Usage(`--min-score must be a number, not ${values['min-score']}`)
  }
  if (values.offset !== undefined) options.offset = wholeNumber(values.offset, 0, 'offset', 0)
  if (values['group-by'] !== undefined) {
    const { key, number: size } = keyed(values['group-by'], 'group-by')
    options.groupBy = size === undefined ? key : { key, size: wholeNumber(`${size}`, 1, 'group-by') }
  }
  // No attributes at all is a choice, too.
  if (values.attrs !== undefined) options.attrs = values.attrs === '' ? [] : names(values.attrs, 'attrs')
  if (values.explain) options.explain = true
  if (values.facets !== undefined) options.facets = keyedObject(values.facets, 'facets', 'limit')
  return { ...options, ...wordsOf(values) }
}

function wordsOf(values: Values): QuestionOptions {
  const options: QuestionOptions = {}
  const { fusion, match, fuzzy, forms, fields, highlight } = values
  if (fusion !== undefined) {
    const share = numberOf(fusion)
    if (fusion !== 'rrf' && !(share >= 0 && share <= 1))
      throw new Usage(`--fusion must be rrf or a number from 0 to 1, not ${fusion}`)
    options.fusion = fusion === 'rrf' ? fusion : { text: share }
  }
  if (match !== undefined) options.match = one(match, 'match', ['any', 'all'])
  if (values.prefix) options.prefix = true
  if (fuzzy !== undefined) options.fuzzy = fuzzy === true ? 1 : one(fuzzy, 'fuzzy', ['every'])
  if (forms !== undefined) options.forms = one(forms, 'forms', ['en'])
  if (fields !== undefined) options.fields = names(fields, 'fields')
  if (highlight !== undefined) options.highlight = highlight === true ? true : names(highlight, 'highlight')
  return options
}

function one<const T extends string>(given: string, name: string, all: T[]): T {
  const found = all.find((each) => each === given)
  if (found === undefined) throw new Usage(`--${name} must be ${all.join(' or ')}, not ${given}`)
  return found
}

/** Throws if no collection of the search has text settings. */
async function checkText(db: Nidus, directory: string, collection: string | undefined) {
  if (collection !== undefined) await checkCollection(db, directory, collection)
  const searched = collection !== undefined ? [collection] : await db.collections()
  for (const name of searched) if (await settingsOf(db, directory, name)) return
  const which = collection !== undefined ? `the collection "${collection}" of ${directory}` : directory
  throw new NidusError(
    'INVALID_ARGUMENT',
    `${which} has no text settings, which say where words are: ` +
      `\`${remedy(directory, searched.length === 1 ? searched[0] : undefined)}\` sets them`,
  )
}

const cell = (value: unknown) => (value === undefined ? '' : JSON.stringify(tagged(value)))

function show(hits: Hits<Hit>, values: Values) {
  const columns: [string, (hit: Hit) => string][] = [['score', ({ score }) => score.toFixed(4)]]
  if (hits.some(({ vectorScore, textScore }) => vectorScore !== undefined && textScore !== undefined))
    columns.push(
      ['vector', ({ vectorScore = 0 }) => vectorScore.toFixed(4)],
      ['words', ({ textScore = 0 }) => textScore.toFixed(4)],
    )
  if (values['group-by'] !== undefined) columns.push(['group', ({ group }) => cell(group)])
  columns.push(['collection', ({ collection }) => collection], ['id', ({ id }) => id])
  if (values.highlight !== undefined)
    columns.push(['passage', ({ snippet }) => cell(snippet?.replace(/\s+/g, ' ').trim())])
  if (values.attrs !== '') columns.push(['attributes', ({ attrs }) => cell(attrs)])
  table(
    columns.map(([title]) => title),
    hits.map((hit) => columns.map(([, of]) => of(hit))),
  )
  for (const [key, counts] of Object.entries(hits.facets ?? {})) {
    say('')
    table(
      [key, 'documents'],
      counts.map(({ value, count: documents }: { value: AttrValue; count: number }) => [cell(value), count(documents)]),
    )
  }
  if (!hits.explain?.length) return
  say('')
  table(
    ['filter', 'documents', 'types', ''],
    hits.explain.map(({ key, records, types, note = '' }) => [
      key,
      count(records),
      Object.entries(types)
        .map(([type, some]) => `${count(some)} ${type}`)
        .join(', '),
      note,
    ]),
  )
}
