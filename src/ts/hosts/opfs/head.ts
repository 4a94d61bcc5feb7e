import { crc32 } from '../../format/crc32.js'

/**
 * The `head` file of an OPFS store has two slots. Each slot has a sector of its own, so that a half-written slot leaves
 * the other one whole. A slot is "NDSHEAD1", the generation as u64, and the crc32 of those 16 bytes, little-endian. The
 * valid slot with the higher generation is current. Whether a generation is even or odd decides its slot and its pair
 * of files.
 *
 * The bytes 32 to 47 of a sector are a random text, the mark. A commit writes it into the sector that is not current,
 * and a promotion writes it with the new slot (see `mark.ts`).
 */
const SECTOR = 512
const SLOT_SIZE = 20
const MARK_AT = 32
const MARK_SIZE = 16
export const HEAD_SIZE = 2 * SECTOR
const MAGIC = /* @__PURE__ */ new TextEncoder().encode('NDSHEAD1')

export const slotOffset = (generation: number) => (generation % 2) * SECTOR

/** Returns the place of the mark in the sector of a generation's slot. */
export const markOffset = (generation: number) => slotOffset(generation) + MARK_AT

export function encodeSlot(generation: number, mark = new Uint8Array(MARK_SIZE)): Uint8Array<ArrayBuffer> {
  const slot = new Uint8Array(MARK_AT + MARK_SIZE)
  const view = new DataView(slot.buffer)
  slot.set(MAGIC)
  view.setBigUint64(8, BigInt(generation), true)
  view.setUint32(16, crc32(slot.subarray(0, 16)), true)
  slot.set(mark, MARK_AT)
  return slot
}

/** Returns the current generation, or undefined if no slot is whole. */
export function decodeHead(head: Uint8Array): number | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  let best: number | undefined
  for (const at of [0, SECTOR]) {
    if (head.length < at + SLOT_SIZE) continue
    const generation = Number(view.getBigUint64(at + 8, true))
    const slot = encodeSlot(generation).subarray(0, SLOT_SIZE)
    if (slotOffset(generation) === at && !(best! > generation) && slot.every((byte, i) => byte === head[at + i]))
      best = generation
  }
  return best
}

/** Returns whether no slot is whole, and the bytes are not the beginning of a slot either. */
export const isForeignHead = (head: Uint8Array): boolean =>
  decodeHead(head) === undefined &&
  [0, SECTOR].some((at) => MAGIC.some((byte, i) => head[at + i] && head[at + i] !== byte))
