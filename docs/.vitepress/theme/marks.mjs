/** Divides the part of a text from `from` to `to` into pieces that are marked or not. `matches` has [start, end]. */
export function pieces(text, matches = [], from = 0, to = text.length) {
  const found = []
  let at = from
  for (const [start, end] of matches) {
    if (end <= at || start >= to) continue
    if (start > at) found.push({ text: text.slice(at, start), marked: false })
    found.push({ text: text.slice(Math.max(start, at), Math.min(end, to)), marked: true })
    at = Math.min(end, to)
  }
  if (at < to) found.push({ text: text.slice(at, to), marked: false })
  return found
}

/** Returns what the list shows of a hit: its title and a passage of its text, both with marks. */
export function shown({ id, attrs, matches = {}, snippet }) {
  const begin = snippet ? attrs.text.indexOf(snippet) : 0
  // A passage begins with a word, and not with what is left of a line of code.
  const from = Math.max(0, begin) + (/^[^\p{L}\p{N}]*/u.exec(attrs.text.slice(Math.max(0, begin)))?.[0].length ?? 0)
  const length = begin >= 0 && snippet ? snippet.length : 140
  return {
    id,
    kind: attrs.kind,
    titles: attrs.titles.join(' › '),
    title: pieces(attrs.title, matches.title),
    passage: pieces(attrs.text, matches.text, from, Math.min(attrs.text.length, from + Math.min(length, 220))),
  }
}
