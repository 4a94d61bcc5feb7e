import type { DocumentInput, Embedder, TextIndex } from 'nidus-wasm/text'
import { wordEmbedder } from './text-index'

// Embedders and iterables of a caller that hang, and tests of what an index does meanwhile.

export type Open = (name: string, options?: Parameters<typeof TextIndex.open>[1]) => Promise<TextIndex>
export type Case = [name: string, run: (open: Open, name: string) => Promise<void>]

export const never = () => new Promise<never>(() => {})

/** An event that a test waits for. */
export function event() {
  let happened!: () => void
  const happens = new Promise<void>((resolve) => (happened = resolve))
  return { happened, happens }
}

/** An embedder that never answers for passages, and ignores its signal. */
export function hanging(model = 'words', dimension = 32) {
  const embedder = wordEmbedder(model, dimension)
  const { embed } = embedder
  const asked = event()
  const hangs: Embedder['embed'] = async (texts, options) => {
    if (options.kind === 'query') return embed(texts, options)
    asked.happened()
    return never()
  }
  return {
    embedder: Object.assign(embedder, { embed: hangs }),
    asked: asked.happens,
    heal: () => (embedder.embed = embed),
  }
}

export async function* documentsThen(count: number, last: () => Promise<unknown>): AsyncIterable<DocumentInput> {
  for (let i = 0; i < count; i++) yield { id: `d${i}`, text: `text ${i} of the river` }
  await last()
}

export async function errorOf(run: () => Promise<unknown>) {
  try {
    await run()
  } catch (error) {
    return error as Error & { code: string; documents?: string[] }
  }
  throw new Error('nothing was thrown')
}
