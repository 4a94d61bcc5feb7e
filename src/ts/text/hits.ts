import type { QueryArgs, QueryHits } from '../contract/query.js'
import type { SteppedRead } from '../engine/steps.js'
import type { TextHost } from '../engine/text-host.js'
import { Reader, encodeIds, skipAttrs } from '../core/wire.js'
import type { Ranked } from './ranked.js'
import { readDocuments } from './store-documents.js'
import type { Words } from './words.js'

export interface Found extends Ranked {
  vectorScores?: Float64Array
  textScores?: Float64Array
}

export interface Name {
  collection: string
  id: string
}

export function namesIn(wire: Uint8Array): Name[] {
  const reader = new Reader(wire)
  const names: Name[] = []
  while (!reader.done) {
    reader.u8()
    names.push({ collection: reader.str(), id: reader.str() })
    skipAttrs(reader)
  }
  return names
}

/** Returns the vectors of documents, one after the other. Returns no numbers if one of the documents does not exist. */
export async function vectorsOf(host: TextHost, names: Name[], signal: AbortSignal | undefined): Promise<Float32Array> {
  const { store } = host
  const vectors = new Float32Array(names.length * store.dimension)
  for (const collection of new Set(names.map(({ collection }) => collection))) {
    const places = names.flatMap((name, i) => (name.collection === collection ? [i] : []))
    const ids = encodeIds(places.map((i) => names[i].id))
    const read: SteppedRead<Float32Array> = {
      step(rows) {
        const found = store.get(collection, places.length, ids, rows)
        if (!found) return undefined
        const { vectors } = found
        found.free()
        return vectors
      },
    }
    const found = await host.toTheEnd(read, signal)
    if (found.length < places.length * store.dimension) return new Float32Array(0)
    places.forEach((place, i) =>
      vectors.set(found.subarray(i * store.dimension, (i + 1) * store.dimension), place * store.dimension),
    )
  }
  return vectors
}

interface Highlights {
  matches: { [field: string]: number[][] }[]
  snippets: (string | undefined)[]
}

/** Finds the matches of the words in the hits' texts, and the passage with the most of the words. */
function highlight(host: TextHost, words: Words, docs: Uint32Array, wanted: true | string[]): Highlights {
  const { question } = words
  const matches: Highlights['matches'] = []
  const snippets: Highlights['snippets'] = []
  const reader = new Reader(readDocuments(host, docs))
  for (let i = 0; i < docs.length; i++) {
    reader.u8()
    const collection = reader.str()
    reader.str()
    const attrs = reader.attrs()
    const found: { [field: string]: number[][] } = {}
    let snippet: string | undefined
    let most = 0
    for (const field of words.fieldsOf(collection)) {
      if (wanted !== true && !wanted.includes(field)) continue
      const value = attrs[field]
      const texts = typeof value === 'string' ? [value] : Array.isArray(value) ? value : []
      const places: number[][] = []
      texts.forEach((text, element) => {
        const flat = question.places(text)
        for (let at = 0; at < flat.length; at += 2)
          places.push(Array.isArray(value) ? [flat[at], flat[at + 1], element] : [flat[at], flat[at + 1]])
        if (flat.length > most) {
          const [from, to] = question.passage(text)
          most = flat.length
          snippet = text.slice(from, to)
        }
      })
      if (places.length > 0) Object.defineProperty(found, field, { value: places, enumerable: true })
    }
    matches.push(found)
    snippets.push(snippet)
  }
  return { matches, snippets }
}

/** Returns documents as the hits of a search. */
export async function hitsOf(
  host: TextHost,
  args: QueryArgs,
  words: Words | undefined,
  found: Found,
  signal: AbortSignal | undefined,
): Promise<QueryHits> {
  const wire = readDocuments(host, found.docs, args.attrs)
  const highlights =
    words && args.highlight !== undefined
      ? host.run(() => highlight(host, words, found.docs, args.highlight!))
      : undefined
  return {
    wire,
    scores: found.scores,
    vectorScores: found.vectorScores,
    textScores: found.textScores,
    vectors: args.withVectors ? await vectorsOf(host, namesIn(wire), signal) : undefined,
    matches: highlights?.matches,
    snippets: highlights?.snippets,
    groups: undefined,
    facets: undefined,
  }
}
