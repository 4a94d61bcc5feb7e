import type { QueryArgs, QueryHits } from '../contract/query.js'
import { reading } from '../errors/errors.js'
import { encodeFilter } from '../arguments/filter.js'
import { captureQuery, checkSignal, collectionName } from '../arguments/input.js'
import { LIST, QUERY, QUESTION, SHAPE, SIMILAR } from '../arguments/keys.js'
import { checkOptions } from '../arguments/options.js'
import { checkString } from '../core/wire.js'
import type { Asked } from '../question/index.js'
import type {
  AttrsOf,
  ListOptions,
  Query,
  QuestionOptions,
  ShapeOptions,
  SimilarOptions,
  VectorSearchOptions,
} from '../types/index.js'
import { question } from './parts.js'
import { BACKEND, read, snapshot, type Opened } from './reads.js'

type Question = Awaited<ReturnType<typeof question>>

/**
 * Captures what a question is about, in the turn of the call. The module of questions makes the arguments and the
 * answer of it.
 */
async function answered<T>(
  db: Opened,
  { filter, signal, ...options }: { filter?: unknown; signal?: AbortSignal },
  asked: { text?: unknown; vector?: Float32Array },
  args: (module: Question, asked: Asked) => QueryArgs,
  answer: (module: Question, found: QueryHits) => T,
): Promise<T> {
  const captured = {
    text: asked.text,
    vector: asked.vector,
    filter: encodeFilter(filter),
    options: reading('the options', () => snapshot(options)) as { [key: string]: unknown },
  }
  const until = checkSignal(signal)
  const module = await question()
  return answer(module, await read(db[BACKEND](), 'query', args(module, captured), until))
}

export function ask<A extends AttrsOf<A>>(db: Opened, query: Query, options: QuestionOptions<A> | undefined) {
  const { vector, text } = checkOptions(query, QUERY, 'search: the question')
  return answered(
    db,
    checkOptions(options, QUESTION, 'search'),
    { text, vector: vector === undefined ? undefined : captureQuery(vector, db.dimension) },
    ({ argsOf }, asked) => argsOf(asked),
    ({ hitsOf }, found) => hitsOf<A>(found, db.dimension),
  )
}

/** Whether the answer has another shape than a list of the nearest. */
export const isShaped = (options: ShapeOptions & { facets?: unknown }) =>
  options.facets !== undefined || Object.keys(SHAPE).some((key) => options[key as keyof typeof SHAPE] !== undefined)

export const shaped = <A extends AttrsOf<A>>(db: Opened, vector: Float32Array, options: VectorSearchOptions<A>) =>
  answered(
    db,
    options,
    { vector },
    ({ argsOf }, asked) => argsOf(asked),
    ({ hitsOf }, found) => hitsOf<A>(found, db.dimension),
  )

const checkedId = (id: unknown): string => {
  checkString(id, () => 'the id')
  return id
}

export function similar<A extends AttrsOf<A>>(
  db: Opened,
  collection: string,
  id: string,
  options: SimilarOptions<A> | undefined,
) {
  const like = { collection: collectionName(collection), id: checkedId(id) }
  return answered(
    db,
    checkOptions(options, SIMILAR, 'similar'),
    {},
    ({ similarArgs }, asked) => similarArgs(like, asked),
    ({ hitsOf }, found) => hitsOf<A>(found, db.dimension),
  )
}

export function list<A extends AttrsOf<A>>(db: Opened, collection: string, options: ListOptions<A> | undefined) {
  const name = collectionName(collection)
  return answered(
    db,
    checkOptions(options, LIST, 'list'),
    {},
    ({ listArgs }, asked) => listArgs(name, asked),
    ({ listedOf }, found) => listedOf<A>(found, db.dimension),
  )
}
