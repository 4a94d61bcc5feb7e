import { NidusError, invalid } from '../errors/errors.js'
import type { EmbedOptions, Embedder } from '../types/text-index.js'

const BATCH = 16

const embedderFailed = (model: string, what: string, cause?: unknown) =>
  new NidusError('EMBEDDER_FAILED', `the embedder "${model}" ${what}`, { cause })

export const batchSize = ({ batchSize }: Embedder) => Math.max(1, Math.floor(batchSize ?? BATCH)) || BATCH

export function checkEmbedder(embedder: unknown, place: string): Embedder {
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

/**
 * Returns the vectors of texts one after the other. Throws EMBEDDER_FAILED if the embedder throws, or returns anything
 * but one vector of finite numbers for each text.
 */
export async function embed(embedder: Embedder, texts: string[], options: EmbedOptions): Promise<Float32Array> {
  const { model, dimension } = embedder
  let given: unknown
  try {
    given = await embedder.embed(texts, options)
  } catch (error) {
    if (options.signal?.aborted) throw error
    throw embedderFailed(model, `failed: ${(error as Error | undefined)?.message ?? String(error)}`, error)
  }
  const bad = (what: string) => embedderFailed(model, `returned ${what} for ${texts.length} texts of ${options.kind}s`)
  const all = new Float32Array(texts.length * dimension)
  if (given instanceof Float32Array) {
    if (given.length !== all.length) throw bad(`${given.length} numbers and not ${all.length} (dimension ${dimension})`)
    all.set(given)
  } else if (!Array.isArray(given)) throw bad('neither a list of vectors nor a Float32Array')
  else if (given.length !== texts.length) throw bad(`${given.length} vectors`)
  else
    given.forEach((vector: ArrayLike<number> | undefined, i) => {
      if (vector?.length !== dimension) throw bad(`a vector of ${vector?.length} numbers, not ${dimension},`)
      all.set(vector, i * dimension)
    })
  for (let i = 0; i < texts.length; i++) {
    const vector = all.subarray(i * dimension, (i + 1) * dimension)
    if (!vector.every(Number.isFinite)) throw bad('a vector with a number that is not finite')
    if (vector.every((number) => number === 0) && texts[i] !== '') throw bad('a vector of zeros')
  }
  return all
}

/** Embeds passages in batches. Returns a vector for each text, in their order. */
export async function embedPassageTexts(
  embedder: Embedder,
  texts: string[],
  signal: AbortSignal | undefined,
): Promise<Float32Array[]> {
  // A batch is padded to its longest text, so texts of similar length form a batch.
  const order = [...texts.keys()].sort((a, b) => texts[a].length - texts[b].length)
  const vectors: Float32Array[] = []
  const [size, { dimension }] = [batchSize(embedder), embedder]
  for (let at = 0; at < order.length; at += size) {
    const batch = order.slice(at, at + size)
    const all = await embed(
      embedder,
      batch.map((i) => texts[i]),
      { kind: 'passage', signal },
    )
    for (const [n, i] of batch.entries()) vectors[i] = all.subarray(n * dimension, (n + 1) * dimension)
  }
  return vectors
}
