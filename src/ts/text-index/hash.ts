/**
 * Returns a hash of 106 bits as text. It tells whether a text has changed. It is quick, and works in pages without
 * https, which have no `crypto.subtle`. Somebody who wants two texts with one hash can make them.
 */
export function hashOf(text: string): string {
  return mixed(text, 0x9e3779b9) + mixed(text, 0x85ebca6b)
}

/** Two lanes of 32 bits, mixed by multiplication (after the finalizer of MurmurHash3). 53 bits of them are used. */
function mixed(text: string, seed: number): string {
  let a = 0xdeadbeef ^ seed
  let b = 0x41c6ce57 ^ seed
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 2654435761)
    b = Math.imul(b ^ unit, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36).padStart(11, '0')
}
