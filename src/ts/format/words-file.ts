/**
 * The name of the file beside the pair that has the indexes of words. It can be made again from the pair. Native knows
 * no such file, and leaves it alone.
 */
export const WORDS = 'words'

/** The first bytes of the file, with the number of its format at the end. */
export const WORDS_HEAD = /* @__PURE__ */ Uint8Array.from([0x6e, 0x69, 0x64, 0x75, 0x73, 0x77, 0x64, 1])

/**
 * Returns whether a file of this name belongs to this package, judged by its first bytes. The first bytes are written
 * last, so an unfinished file is empty or begins with zeros. The number of the format can be any.
 */
export const isWords = (head: Uint8Array): boolean =>
  head.subarray(0, 7).every((byte, i) => byte === WORDS_HEAD[i]) || head.subarray(0, 8).every((byte) => byte === 0)
