import { until } from './until'

/** A word in a test's documents, and the word that a changed file has in its place. */
export const MARK = 'zzmarker'
export const POISON = 'zzmarkes'

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1
  return n
})
export function crc32(bytes: Uint8Array): number {
  let crc = -1
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 255]!
  return ~crc >>> 0
}

interface Names {
  log: number
  sum: number
  documents: number
  parts: { collection: string; fields: string[]; bytes: number }[]
}

/** Reads the file of the indexes of words, by docs/spec/derived.md. Returns its names, and where each index is. */
export function partsOf(file: Uint8Array) {
  const view = new DataView(file.buffer, file.byteOffset)
  const length = view.getUint32(8, true)
  const names = JSON.parse(new TextDecoder().decode(file.subarray(16, 16 + length))) as Names
  let at = 16 + length + 4 * names.documents
  const parts = names.parts.map(({ bytes, ...part }) => ({ ...part, from: at, to: (at += bytes) }))
  if (at !== file.length) throw new Error(`the file has ${file.length} bytes and says ${at}`)
  return { ...names, parts }
}

/** Writes the checksum of an index that was changed. */
export function seal(file: Uint8Array, { from, to }: { from: number; to: number }) {
  new DataView(file.buffer, file.byteOffset).setUint32(to - 4, crc32(file.subarray(from, to - 4)), true)
}

/**
 * Returns the file with MARK replaced by POISON in its indexes, and with right checksums. If a store then finds POISON,
 * it has used the file. If not, it has read the documents.
 */
export function poisoned(original: Uint8Array): Uint8Array<ArrayBuffer> {
  const file = original.slice() as Uint8Array<ArrayBuffer>
  const [mark, poison] = [MARK, POISON].map((word) => new TextEncoder().encode(word)) as [Uint8Array, Uint8Array]
  let found = 0
  for (const part of partsOf(file).parts) {
    for (let at = part.from; at + mark.length <= part.to; at++) {
      if (!mark.every((byte, i) => file[at + i] === byte)) continue
      file.set(poison, at)
      found++
    }
    seal(file, part)
  }
  if (found === 0) throw new Error(`no index has the word ${MARK}`)
  return file
}

/** Waits until the file is written. Returns its bytes. */
export const written = async (read: () => Promise<Uint8Array | undefined>) => {
  await until('the file of the indexes', async () => ((await read())?.[0] ?? 0) !== 0)
  return (await read())!
}
