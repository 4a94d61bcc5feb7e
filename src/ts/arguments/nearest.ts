/**
 * The names of other products for the same thing, in small letters and without `_`, `-` and `$`. Names that differ by a
 * letter or two need no entry: `distance` finds them.
 */
const ALIASES: { [known: string]: string } = {
  topK: 'k limit top n count size nresults',
  filter: 'where',
  collections: 'namespace',
  minScore: 'threshold',
  attrs: 'metadata metadatas payload payloads',
  vector: 'values embedding',
  vectors: 'values embeddings',
  dimension: 'dims',
  $glob: 'regex like',
  $iglob: 'ilike',
  $containsAny: 'any overlaps',
  $containsAll: 'all',
}

const plain = (key: string) => key.slice(0, 40).toLowerCase().replace(/[_$-]/g, '')

/** Returns how many letters must be added, removed or changed to make `a` into `b`. */
function distance(a: string, b: string): number {
  const row = Array.from(`${b}.`, (_, j) => j)
  for (const letter of a) {
    let corner = row[0]++
    for (let j = 1; j < row.length; j++) {
      const up = row[j]
      row[j] = Math.min(up + 1, row[j - 1] + 1, corner + +(letter !== b[j - 1]))
      corner = up
    }
  }
  return row[b.length]
}

/** Returns the end of a message on an unknown key: the key that may be meant, or all keys if none is near. */
export function nearest(key: string, known: string[]): string {
  const asked = plain(key)
  if (asked === 'metric') return ': the metric is always the cosine'
  if (known[2] === 'attrs' && /^(score|collection)$/.test(asked)) return ": pass only a hit's id, vector, attrs"
  const far = known.map((each) => (` ${ALIASES[each]} `.includes(` ${asked} `) ? 0 : distance(asked, plain(each))))
  const least = Math.min(...far)
  return least <= Math.max(1, asked.length / 3)
    ? `: did you mean \`${known[far.indexOf(least)]}\`?`
    : `: there are ${known.join(', ')}`
}
