import { NidusError, invalid, messageOf } from '../errors/errors.js'
import type { EmbedOptions, Embedder } from '../types/text-index.js'
import { atMost, unlessEnded } from './waiting.js'

const BATCH = 16
/** How long `close` waits for functions of the caller's, in milliseconds. They may hang. */
export const CLOSING = 5000

const embedderFailed = (model: string, what: string, cause?: unknown) =>
  new NidusError('EMBEDDER_FAILED', `the embedder "${model}" ${what}`, { cause })

export const batchSize = ({ batchSize }: Embedder) => Math.max(1, Math.floor(batchSize ?? BATCH)) || BATCH

function checkEmbedder(embedder: unknown, place: string): Embedder {
  const { model, dimension, embed, countTokens, close } = (embedder ?? {}) as Embedder
  if (typeof embedder !== 'object' || typeof embed !== 'function')
    throw invalid(`${place}: an embedder is an object { model, dimension, embed(texts, { kind, signal }) }`)
  if (typeof model !== 'string' || model === '') throw invalid(`${place}: an embedder's \`model\` is a text, its name`)
  if (!Number.isInteger(dimension) || dimension < 1 || dimension > 65_536)
    throw invalid(`${place}: an embedder's \`dimension\` is a whole number from 1 to 65536, not ${String(dimension)}`)
  for (const [name, method] of Object.entries({ countTokens, close }))
    if (method !== undefined && typeof method !== 'function')
      throw invalid(`${place}: an embedder's \`${name}\` is a function, if there is one`)
  return embedder as Embedder
}

/** Returns an embedder that the caller gave or promised. `signal` ends the wait for a promise. */
export async function promisedEmbedder(given: unknown, place: string, signal?: AbortSignal): Promise<Embedder> {
  if (typeof (given as PromiseLike<unknown> | null)?.then !== 'function') return checkEmbedder(given, place)
  let embedder: unknown
  try {
    const promise = given as PromiseLike<unknown>
    embedder = await (signal ? unlessEnded(promise, signal) : promise)
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    if (error instanceof NidusError) throw error
    throw new NidusError('EMBEDDER_FAILED', `${place}: the promise of an embedder failed: ${messageOf(error)}`, {
      cause: error,
    })
  }
  return checkEmbedder(embedder, place)
}

/**
 * Returns the vectors of texts one after the other. Throws EMBEDDER_FAILED if the embedder throws, or returns anything
 * but one vector of finite numbers for each text. Waits no longer than until `signal` is aborted, and then throws its
 * reason.
 */
export async function embed(
  embedder: Embedder,
  texts: string[],
  kind: EmbedOptions['kind'],
  signal: AbortSignal,
): Promise<Float32Array> {
  const { model, dimension } = embedder
  try {
    return vectorsOf(await unlessEnded(embedder.embed(texts, { kind, signal }), signal), texts, kind, embedder)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error instanceof Unfit)
      throw embedderFailed(model, `returned ${error.message} for ${texts.length} texts of ${kind}s (${dimension})`)
    throw embedderFailed(model, `failed: ${messageOf(error)}`, error)
  }
}

class Unfit extends Error {}

function vectorsOf(given: unknown, texts: string[], kind: string, { dimension }: Embedder): Float32Array {
  const all = new Float32Array(texts.length * dimension)
  if (given instanceof Float32Array) {
    if (given.length !== all.length) throw new Unfit(`${given.length} numbers and not ${all.length}`)
    all.set(given)
  } else if (!Array.isArray(given)) throw new Unfit('neither a list of vectors nor a Float32Array')
  else if (given.length !== texts.length) throw new Unfit(`${given.length} vectors`)
  else
    given.forEach((vector: ArrayLike<number> | undefined | null, i) => {
      if (vector?.length !== dimension) throw new Unfit(`a vector of ${vector?.length} numbers, not ${dimension},`)
      all.set(vector, i * dimension)
    })
  for (let i = 0; i < texts.length; i++) {
    const vector = all.subarray(i * dimension, (i + 1) * dimension)
    if (!vector.every(Number.isFinite)) throw new Unfit('a vector with a number that is not finite')
    if (vector.every((number) => number === 0)) throw new Unfit('a vector of zeros')
  }
  return all
}

/** Returns the lengths of texts in tokens of the model. Throws EMBEDDER_FAILED if it is not one number for each. */
export async function countTokens(embedder: Embedder, texts: string[], signal: AbortSignal): Promise<number[]> {
  let given: unknown
  try {
    given = await unlessEnded(embedder.countTokens!(texts), signal)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw embedderFailed(embedder.model, `failed to count tokens: ${messageOf(error)}`, error)
  }
  const isLength = (length: unknown) => typeof length === 'number' && length >= 0
  if (!Array.isArray(given) || given.length !== texts.length || !given.every(isLength))
    throw embedderFailed(embedder.model, `counted tokens, and returned no list of ${texts.length} numbers`)
  return given as number[]
}

/** Releases an embedder. `meanwhile` says what is done although it failed. */
export async function closeEmbedder(embedder: Embedder | undefined, meanwhile: string): Promise<void> {
  if (!embedder?.close) return
  try {
    await atMost(embedder.close(), CLOSING)
  } catch (error) {
    throw embedderFailed(embedder.model, `could not be closed: ${messageOf(error)}. ${meanwhile}`, error)
  }
}

/** The vectors of texts, by their numbers. A text without one was empty, or the embedder refused it. */
export interface Made {
  vectors: Map<number, Float32Array>
  refused: Map<number, NidusError>
}

/** Tells whether an embedder works at all. It has a word that every model knows. */
const PROBE = 'text'

/**
 * Embeds passages in batches. If a batch fails, its texts are embedded one by one, so that one that is refused does not
 * block the others. If the embedder fails for every text, throws its error. `onBatch` is called after each batch with
 * all that is made.
 */
export async function embedPassageTexts(
  embedder: Embedder,
  texts: string[],
  signal: AbortSignal,
  onBatch?: (made: Made) => Promise<void>,
): Promise<Made> {
  const made: Made = { vectors: new Map(), refused: new Map() }
  // A batch is padded to its longest text, so texts of similar length form a batch.
  const order = [...texts.keys()]
    .filter((i) => texts[i].trim() !== '')
    .sort((a, b) => texts[a].length - texts[b].length)
  const [size, { dimension }] = [batchSize(embedder), embedder]
  const make = async (batch: number[]) => {
    const all = await embed(
      embedder,
      batch.map((i) => texts[i]),
      'passage',
      signal,
    )
    for (const [n, i] of batch.entries()) made.vectors.set(i, all.subarray(n * dimension, (n + 1) * dimension))
  }
  for (let at = 0; at < order.length; at += size) {
    const batch = order.slice(at, at + size)
    try {
      await make(batch)
    } catch (error) {
      if (signal.aborted) throw error
      await embed(embedder, [PROBE], 'passage', signal).catch(() => {
        throw error
      })
      for (const i of batch)
        await make([i]).catch((refusal: unknown) => {
          if (signal.aborted) throw refusal
          made.refused.set(i, refusal as NidusError)
        })
    }
    await onBatch?.(made)
  }
  return made
}
