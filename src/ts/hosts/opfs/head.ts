import { crc32 } from '../../format/crc32.js'

/**
 * The `head` file of an OPFS store has two slots. Each slot has a sector of its own, so that a half-written slot leaves
 * the other one whole. A slot is "NDSHEAD1", the generation as u64, and the crc32 of those 16 bytes, little-endian. The
 * valid slot with the higher generation is current. Whether a generation is even or odd decides its slot and its pair
 * of files.
 *
 * The bytes 32 to 47 of a sector are a random mark. An opening writes it into the sector that is not current, and a
 * promotion with the new slot (see `mark.ts`).
 */
const SECTOR = 512
const MARK_AT = 32
export const MARK_SIZE = 16
export const HEAD_SIZE = 2 * SECTOR
const MAGIC = /* @__PURE__ */ new TextEncoder().encode('NDSHEAD1')

export const slotOffset = (generation: number) => (generation % 2) * SECTOR

/** Returns the place of the mark in the sector of a generation's slot. */
export const markOffset = (generation: number) => slotOffset(generation) + MARK_AT

export function encodeSlot(generation: number, mark?: Uint8Array): Uint8Array<ArrayBuffer> {
  const slot = new Uint8Array(MARK_AT + MARK_SIZE)
  const view = new DataView(slot.buffer)
  slot.set(MAGIC)
  view.setUint32(8, generation >>> 0, true)
  view.setUint32(12, Math.floor(generation / 2 ** 32), true)
  view.setUint32(16, crc32(slot.subarray(0, 16)), true)
  if (mark) slot.set(mark, MARK_AT)
  return slot
}

/** Returns the current generation, or undefined if no slot is whole. */
export function decodeHead(head: Uint8Array): number | undefined {
  let best: number | undefined
  for (const at of [0, SECTOR]) {
    if (head.length < at + 20) continue
    const slot = head.subarray(at, at + 20)
    const view = new DataView(slot.buffer, slot.byteOffset, slot.byteLength)
    if (!MAGIC.every((byte, i) => slot[i] === byte) || view.getUint32(16, true) !== crc32(slot.subarray(0, 16)))
      continue
    const generation = view.getUint32(12, true) * 2 ** 32 + view.getUint32(8, true)
    if (slotOffset(generation) === at && (best === undefined || generation > best)) best = generation
  }
  return best
}

/** Returns whether no slot is whole, and the bytes are not the beginning of a slot either. */
export const isForeignHead = (head: Uint8Array): boolean =>
  decodeHead(head) === undefined &&
  [0, SECTOR].some((at) => head.subarray(at, at + MAGIC.length).some((byte, i) => byte !== 0 && byte !== MAGIC[i]))
