import { storageError } from '../../errors/errors.js'
import { WORDS, isWords } from '../../format/words-file.js'
import type { StoreInfo } from '../../types/index.js'
import {
  FILES,
  FOLDER,
  encodeName,
  fileIn,
  findDirectory,
  hasOpfs,
  lockAll,
  lookAtFiles,
  openSnapshot,
  rootDirectory,
  type FileName,
} from './host.js'

async function removeStore(name: string) {
  if (!(await hasOpfs(name))) return
  const directory = await findDirectory(name, false)
  const keep = await lookAtFiles(name, directory, 'INVALID_ARGUMENT')
  const { head } = await lockAll(name, directory, ['head'])
  head.close()
  let others = keep.length > 0
  const words = await fileIn(directory, WORDS)
  const mine: string[] = [...FILES]
  if (words && words !== FOLDER && isWords(new Uint8Array(await words.slice(0, 8).arrayBuffer()))) mine.push(WORDS)
  for await (const [file] of directory as unknown as AsyncIterable<[string, FileSystemHandle]>)
    others ||= !mine.includes(file)
  if (!others) return (await rootDirectory(false)).removeEntry(encodeName(name), { recursive: true })
  // The files of another program stay, and so does the folder. The head is removed last, so that a removal that was
  // interrupted can be tried again.
  for (const file of mine.reverse().filter((file) => !keep.includes(file as FileName))) {
    await directory.removeEntry(file).catch((error: Error) => {
      if (error.name !== 'NotFoundError') throw error
    })
  }
}

export async function destroyOpfs(name: string): Promise<void> {
  try {
    await removeStore(name)
  } catch (error) {
    throw storageError(error, `the store "${name}" (opfs) could not be removed`, true)
  }
}

export async function listOpfs(): Promise<StoreInfo[]> {
  const stores: StoreInfo[] = []
  try {
    const root = await rootDirectory(true)
    for await (const [encoded, entry] of root as unknown as AsyncIterable<[string, FileSystemHandle]>) {
      if (entry.kind !== 'directory') continue
      const name = decodeURIComponent(encoded)
      const files = await openSnapshot(name).catch(() => undefined)
      if (!files) {
        stores.push({ name, storage: 'opfs', diskBytes: 0 })
        continue
      }
      const diskBytes = files.data.getSize() + files.log.getSize()
      const header = files.data.getSize() >= 64 ? await files.data.readAsync!(0, 64) : undefined
      const dimension = header && new DataView(header.buffer).getUint32(8, true)
      stores.push({ name, storage: 'opfs', diskBytes, ...(dimension && { dimension }) })
    }
  } catch (error) {
    throw storageError(error, 'the stores in OPFS could not be listed', true)
  }
  return stores.sort((a, b) => (a.name < b.name ? -1 : 1))
}
