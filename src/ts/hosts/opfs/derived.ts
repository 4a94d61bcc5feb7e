import type { Derived } from '../../contract/derived.js'
import { WORDS, isWords } from '../../format/words-file.js'

const PIECE = 1 << 20
const HEAD = 8

interface SyncHandle {
  write(bytes: Uint8Array, options: { at: number }): number
  truncate(size: number): void
  close(): void
}

/**
 * Returns the place of the derived file in a store's folder. The file is written in place, and its first bytes are
 * written last. It is not flushed: its checksums tell whether all bytes are there.
 */
export function opfsDerived(folder: () => Promise<FileSystemDirectoryHandle>): Derived {
  const found = async (): Promise<File | undefined> => {
    try {
      return await (await (await folder()).getFileHandle(WORDS)).getFile()
    } catch (error) {
      if ((error as Error).name === 'NotFoundError') return undefined
      throw error
    }
  }
  const isOurs = async (file: File) => isWords(new Uint8Array(await file.slice(0, HEAD).arrayBuffer()))
  return {
    async read() {
      const file = await found()
      return file && (await isOurs(file)) ? pieces(file) : undefined
    },
    async write(all) {
      const file = await found()
      if (file && !(await isOurs(file))) throw new Error(`"${WORDS}" is another program's`)
      const entry = (await (await folder()).getFileHandle(WORDS, { create: true })) as FileSystemFileHandle & {
        createSyncAccessHandle(): Promise<SyncHandle>
      }
      const handle = await entry.createSyncAccessHandle()
      try {
        handle.truncate(0)
        await fill(handle, all)
      } catch (error) {
        handle.truncate(0)
        throw error
      } finally {
        handle.close()
      }
    },
    async remove() {
      const file = await found()
      if (file && (await isOurs(file))) await (await folder()).removeEntry(WORDS)
    },
  }
}

async function fill(handle: SyncHandle, all: AsyncIterable<Uint8Array>) {
  const put = (bytes: Uint8Array, at: number) => {
    if (handle.write(bytes, { at }) !== bytes.length) throw new Error('a short write')
  }
  let at = 0
  let head = new Uint8Array(0)
  for await (const piece of all) {
    if (at === 0) head = piece.slice(0, HEAD)
    put(at === 0 ? piece.subarray(HEAD) : piece, at === 0 ? HEAD : at)
    at += piece.length
  }
  put(head, 0)
}

async function* pieces(file: File) {
  for (let at = 0; at < file.size; at += PIECE) yield new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer())
}
