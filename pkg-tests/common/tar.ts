/** One file in a tar. The tests write and read tars by this code, and not by the package's. */
export interface Entry {
  name: string
  bytes: Uint8Array
}

const BLOCK = 512
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).replace(/\0.*$/s, '')
const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0')
const sum = (header: Uint8Array) => header.reduce((all, byte, i) => all + (i >= 148 && i < 156 ? 32 : byte), 0)

export function tar(entries: (Entry & { type?: string; size?: number })[], end = true): Uint8Array {
  const parts: Uint8Array[] = []
  for (const { name, bytes, type = '0', size = bytes.length } of entries) {
    const header = new Uint8Array(BLOCK)
    const put = (what: string, at: number) => header.set(new TextEncoder().encode(what), at)
    put(name, 0)
    put(octal(size, 11), 124)
    put(type, 156)
    put('ustar\u000000', 257)
    put(octal(sum(header), 6), 148)
    parts.push(header, bytes, new Uint8Array((BLOCK - (bytes.length % BLOCK)) % BLOCK))
  }
  if (end) parts.push(new Uint8Array(2 * BLOCK))
  return joined(parts)
}

export function joined(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((size, { length }) => size + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** Returns the two files in a tar. Throws if the tar has anything that the package has no reason to write. */
export function untar(bytes: Uint8Array): { data: Uint8Array; log: Uint8Array } {
  const found: [string, Uint8Array][] = []
  let at = 0
  while (bytes[at] !== 0) {
    const header = bytes.subarray(at, at + BLOCK)
    if (
      parseInt(text(header.subarray(148, 156)), 8) !== sum(header) ||
      text(header.subarray(257, 263)) !== 'ustar' ||
      header[156] !== 0x30
    )
      throw new Error('a bad header')
    if (parseInt(text(header.subarray(136, 148)), 8) !== 0 || text(header.subarray(100, 108)) !== '0000644')
      throw new Error('not the same for the same store')
    const size = parseInt(text(header.subarray(124, 136)), 8)
    found.push([text(header.subarray(0, 100)), bytes.subarray(at + BLOCK, at + BLOCK + size)])
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK
  }
  if (bytes.length !== at + 2 * BLOCK || bytes.subarray(at).some((byte) => byte !== 0)) throw new Error('a bad end')
  if (found.map(([name]) => name).join() !== 'data,log') throw new Error(`files ${found.map(([name]) => name).join()}`)
  return Object.fromEntries(found) as { data: Uint8Array; log: Uint8Array }
}

/** Returns a stream of small pieces. Its `state` says whether it was cancelled and how many bytes were read. */
export function stream(bytes: Uint8Array, piece = 997, { error, hang }: { error?: Error; hang?: boolean } = {}) {
  let at = 0
  const state = { cancelled: false, read: () => at }
  const readable = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (at < bytes.length) controller.enqueue(bytes.slice(at, (at += piece)))
        else if (error) controller.error(error)
        else if (!hang) controller.close()
        else return new Promise<void>(() => {})
      },
      cancel: () => void (state.cancelled = true),
    },
    { highWaterMark: 0 },
  )
  return Object.assign(readable, { state })
}
