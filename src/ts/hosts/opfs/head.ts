import { crc32 } from '../../format/crc32.js'

/**
 * The `head` file of an OPFS store: two slots, each in a sector of its own, so that a torn write of one leaves the
 * other. A slot: "NDSHEAD1", generation u64, crc32 of those 16 bytes; little-endian. The valid slot of the higher
 * generation counts; a generation's parity names its slot and its pair of files.
 */
export const SECTOR = 512
export const HEAD_SIZE = 2 * SECTOR
const MAGIC = /* @__PURE__ */ new TextEncoder().encode('NDSHEAD1')

export const slotOffset = (generation: number) => (generation % 2) * SECTOR

export function encodeSlot(generation: number): Uint8Array<ArrayBuffer> {
  const slot = new Uint8Array(SECTOR)
  const view = new DataView(slot.buffer)
  slot.set(MAGIC)
  view.setUint32(8, generation >>> 0, true)
  view.setUint32(12, Math.floor(generation / 2 ** 32), true)
  view.setUint32(16, crc32(slot.subarray(0, 16)), true)
  return slot
}

/** The current generation, or undefined if no slot is whole. */
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

/** No slot is whole, and what is there is not the beginning of one either. */
export const isForeignHead = (head: Uint8Array): boolean =>
  decodeHead(head) === undefined &&
  [0, SECTOR].some((at) => head.subarray(at, at + MAGIC.length).some((byte, i) => byte !== 0 && byte !== MAGIC[i]))
