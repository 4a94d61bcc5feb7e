import { reading } from '../errors/errors.js'
import { encodeFilter } from '../arguments/filter.js'
import { captureQuery, checkSignal, collectionName } from '../arguments/input.js'
import { LIST, QUERY, QUESTION, SHAPE, SIMILAR } from '../arguments/keys.js'
import { checkOptions } from '../arguments/options.js'
import { checkString } from '../core/wire.js'
import type { Asked, CallOf } from '../question/index.js'
import type {
  AttrsOf,
  ListOptions,
  Query,
  QuestionOptions,
  ShapeOptions,
  SimilarOptions,
  VectorSearchOptions,
} from '../types/index.js'
import { accepted } from './accepted.js'
import { question } from './parts.js'
import { BACKEND, read, snapshot, type Opened } from './reads.js'

type Module = Awaited<ReturnType<typeof question>>

/**
 * Captures a question in the turn of the call. The filter object itself is kept only if the answer is to explain it.
 */
export const captured = (
  about: Pick<Asked, 'text' | 'vector' | 'collection' | 'id'>,
  filter: unknown,
  options: { explain?: unknown },
  dimension: number,
): Asked => ({
  ...about,
  filter: encodeFilter(filter),
  conditions: options.explain === true ? reading('the filter', () => snapshot(filter)) : undefined,
  options: reading('the options', () => snapshot(options)) as Asked['options'],
  dimension,
})

/** Captures a question. The module of questions then checks its options and makes the calls. */
function answered<T>(
  db: Opened,
  { filter, signal, ...options }: { filter?: unknown; signal?: AbortSignal },
  about: Parameters<typeof captured>[0],
  answer: (module: Module, asked: Asked, call: CallOf) => Promise<T>,
): Promise<T> {
  const asked = captured(about, filter, options, db.dimension)
  const until = checkSignal(signal)
  const backend = db[BACKEND]()
  const call: CallOf = (method, args) => read(backend, method, args, until)
  return accepted(
    backend,
    question().then((module) => answer(module, asked, call)),
  )
}

export function ask<A extends AttrsOf<A>>(db: Opened, query: Query, options: QuestionOptions<A> | undefined) {
  const { vector, text } = checkOptions(query, QUERY, 'search: the question')
  const about = { text, vector: vector === undefined ? undefined : captureQuery(vector, db.dimension) }
  return answered(db, checkOptions(options, QUESTION, 'search'), about, (module, asked, call) =>
    module.searchOf<A>(asked, call),
  )
}

/** Returns whether options change the shape of the answer, for instance by groups, pages or facets. */
export const isShaped = (options: ShapeOptions & { facets?: unknown }) =>
  options.facets !== undefined || Object.keys(SHAPE).some((key) => options[key as keyof typeof SHAPE] !== undefined)

export const shaped = <A extends AttrsOf<A>>(db: Opened, vector: Float32Array, options: VectorSearchOptions<A>) =>
  answered(db, options, { vector }, (module, asked, call) => module.searchOf<A>(asked, call))

export function similar<A extends AttrsOf<A>>(
  db: Opened,
  collection: string,
  id: string,
  options: SimilarOptions<A> | undefined,
) {
  checkString(id, () => 'the id')
  const about = { collection: collectionName(collection), id }
  return answered(db, checkOptions(options, SIMILAR, 'similar'), about, (module, asked, call) =>
    module.searchOf<A>(asked, call),
  )
}

export const list = <A extends AttrsOf<A>>(db: Opened, collection: string, options: ListOptions<A> | undefined) =>
  answered(db, checkOptions(options, LIST, 'list'), { collection: collectionName(collection) }, (module, asked, call) =>
    module.listOf<A>(asked, call),
  )
