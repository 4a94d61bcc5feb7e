import { sectionsOfHtml } from './html.js'
import { sectionsOfMarkdown } from './markdown.js'
import { estimateTokens, pack, type Sizes } from './pack.js'
import { sectionsOfCode, sectionsOfText } from './plain.js'
import { halves, type Section, type Unit } from './units.js'
import type { Chunk, TextFormat } from '../../types/text-index.js'

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

/** Cuts a document into passages. The same text gives the same passages, as long as `countTokens` counts the same. */
export async function chunk(
  text: string,
  format: TextFormat,
  sizes: Sizes,
  countTokens?: (texts: string[]) => Promise<number[]>,
): Promise<Chunk[]> {
  const sections = FORMATS[format](text)
  const count = async (texts: string[]) =>
    countTokens && texts.length > 0 ? countTokens(texts) : texts.map(estimateTokens)
  const tokens = await fit(sections, sizes.size, count)
  return pack(sections, tokens, sizes, format === 'html' ? undefined : text)
}

/** Cuts pieces of more than `size` tokens. Returns the tokens of all pieces, in their order. */
async function fit(sections: Section[], size: number, count: (texts: string[]) => Promise<number[]>) {
  let tokens = await count(sections.flatMap(({ units }) => units.map(({ text }) => text)))
  // Each round halves what is too long. A piece has at most 400 letters, so nine rounds leave one letter each.
  for (let round = 0; round < 9 && tokens.some((length) => length > size); round++) {
    const parts: (Unit[] | undefined)[] = []
    let at = 0
    for (const section of sections) {
      section.units = section.units.flatMap((unit) => {
        const cut = tokens[at++] > size ? halves(unit) : undefined
        parts.push(cut)
        return cut ?? [unit]
      })
    }
    const fresh = await count(parts.flatMap((cut) => cut?.map(({ text }) => text) ?? []))
    let next = 0
    tokens = parts.flatMap((cut, i) => (cut ? cut.map(() => fresh[next++]) : [tokens[i]]))
  }
  return tokens
}
