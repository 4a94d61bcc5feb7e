import { sectionsOfHtml } from './html.js'
import { sectionsOfMarkdown } from './markdown.js'
import { estimateTokens, pack, type Sizes } from './pack.js'
import { sectionsOfCode, sectionsOfText } from './plain.js'
import type { Section } from './units.js'
import type { Chunk, Embedder, TextFormat } from '../../types/text-index.js'

export const FORMATS: { readonly [F in TextFormat]: (text: string) => Section[] } = {
  text: sectionsOfText,
  markdown: sectionsOfMarkdown,
  html: sectionsOfHtml,
  code: sectionsOfCode,
}

/** Changes whenever the same text would be cut in another way. */
const VERSION = 1
export const chunkerName = ({ size, overlap }: Sizes) => `nidus ${VERSION}, ${size} tokens, ${overlap} again`

/** Returns the sizes in the name of a chunker, or undefined if it is not of this version. */
export function sizesOf(name: string): Sizes | undefined {
  const [, size, overlap] = /^nidus \d+, (\d+) tokens, (\d+) again$/.exec(name) ?? []
  const sizes = { size: Number(size), overlap: Number(overlap) }
  return chunkerName(sizes) === name ? sizes : undefined
}

/** Cuts a document into passages. The same text gives the same passages, as long as the embedder counts the same. */
export async function chunk(text: string, format: TextFormat, sizes: Sizes, embedder?: Embedder): Promise<Chunk[]> {
  const sections = FORMATS[format](text)
  const pieces = sections.flatMap(({ units }) => units.map((unit) => unit.text))
  const tokens =
    embedder?.countTokens && pieces.length > 0 ? await embedder.countTokens(pieces) : pieces.map(estimateTokens)
  return pack(sections, tokens, sizes, format === 'html' ? undefined : text)
}
