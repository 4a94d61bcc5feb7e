// A real page takes its vectors from an embedding model. This one counts groups of three letters, so that it needs no
// model.
export const DIMENSION = 128

export function embed(text) {
  const vector = new Float32Array(DIMENSION)
  const letters = ` ${text.toLowerCase()} `
  for (let i = 0; i + 3 <= letters.length; i++) {
    let hash = 7
    for (const letter of letters.slice(i, i + 3)) hash = (hash * 31 + letter.codePointAt(0)) >>> 0
    vector[hash % DIMENSION] += 1
  }
  return vector
}
