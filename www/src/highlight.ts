/** Words that are too common to mark. */
const COMMON = new Set(
  'a an and are as at be but by can do for from had has have how i if in into is it its me my no not of on or our so that the their them then there they this to was we were what when where which who why will with you your'.split(
    ' ',
  ),
)

const stem = (word: string) =>
  word
    .toLowerCase()
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/(ings?|ed|ies|es|s|ly)$/, '')

/** Returns the stems of the words of a question that are not too common. */
export const stemsOf = (query: string) =>
  new Set(
    (query.match(/[\p{L}\p{N}]+/gu) ?? [])
      .filter((word) => !COMMON.has(word.toLowerCase()))
      .map(stem)
      .filter((stem) => stem.length > 1),
  )

/** Splits a text into plain pieces and pieces to mark. */
export function marked(text: string, stems: Set<string>): { text: string; mark: boolean }[] {
  const pieces: { text: string; mark: boolean }[] = []
  for (const [piece] of text.matchAll(/[\p{L}\p{N}]+|[^\p{L}\p{N}]+/gu)) {
    const mark = stems.has(stem(piece))
    const last = pieces.at(-1)
    if (last && last.mark === mark) last.text += piece
    else pieces.push({ text: piece, mark })
  }
  return pieces
}

/**
 * Splits a text at the places where the store found words. Words that are too common are not marked, because they say
 * nothing about the text.
 */
export function markedAt(text: string, matches: unknown): { text: string; mark: boolean }[] {
  const pieces: { text: string; mark: boolean }[] = []
  let at = 0
  for (const match of Array.isArray(matches) ? (matches as [number, number][]) : []) {
    const [from, to] = match
    if (!(from >= at && to > from) || COMMON.has(text.slice(from, to).toLowerCase())) continue
    if (from > at) pieces.push({ text: text.slice(at, from), mark: false })
    pieces.push({ text: text.slice(from, to), mark: true })
    at = to
  }
  if (at < text.length) pieces.push({ text: text.slice(at), mark: false })
  return pieces
}

/**
 * Returns the part of a passage that is shown: the sentence with the most words of the question, and those around it.
 */
export function excerpt(text: string, stems: Set<string>, length = 320): string {
  const sentences = text.match(/[^.!?\n]+[.!?]*\s*|\n+/g) ?? [text]
  const weight = (sentence: string) =>
    new Set((sentence.match(/[\p{L}\p{N}]+/gu) ?? []).map(stem).filter((stem) => stems.has(stem))).size
  let best = 0
  sentences.forEach((sentence, n) => {
    if (weight(sentence) > weight(sentences[best]!)) best = n
  })
  let [from, to] = [best, best + 1]
  let size = sentences[best]!.length
  while (size < length && (from > 0 || to < sentences.length)) {
    if (to < sentences.length) size += sentences[to++]!.length
    else size += sentences[--from]!.length
  }
  const shown = sentences.slice(from, to).join('').trim()
  const cut = shown.length > 1.6 * length ? `${shown.slice(0, 1.6 * length).replace(/\s\S*$/, '')} …` : shown
  return `${from > 0 ? '… ' : ''}${cut}${to < sentences.length ? ' …' : ''}`
}
