let table: Uint32Array | undefined

/**
 * Returns the checksum that the log uses (CRC-32, IEEE), for the few bytes that hosts write themselves. `before` is
 * that of the bytes before.
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  table ??= Uint32Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1
    return n
  })
  let crc = ~before
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 255]
  return ~crc >>> 0
}
