import { typeOf, type Source } from './read'

export interface Found {
  sources: Source[]
  /** The number of files of types that are not read. */
  others: number
}

function add(found: Found, file: File, path: string) {
  const type = typeOf(path)
  if (!type) found.others++
  else
    found.sources.push({
      path,
      type,
      modified: new Date(file.lastModified),
      size: file.size,
      read: () => file.arrayBuffer(),
    })
}

/** Returns whether a folder belongs to tools, such as a hidden one. It has no texts of the user. */
const isTools = (name: string) => name.startsWith('.') || name === 'node_modules'

/** Returns the files of a picker. In a chosen folder, the same files are skipped as in a dropped one. */
export function picked(files: Iterable<File>): Found {
  const found: Found = { sources: [], others: 0 }
  for (const file of files) {
    if (!file.webkitRelativePath.split('/').slice(1).some(isTools))
      add(found, file, file.webkitRelativePath || file.name)
  }
  return found
}

/**
 * Returns the files of a drop, including those in folders. It must be called in the turn of the event, because the
 * browser hides the files after it.
 */
export async function dropped(items: DataTransferItemList): Promise<Found> {
  const found: Found = { sources: [], others: 0 }
  const entries = Array.from(items, (item) => item.webkitGetAsEntry?.() ?? item.getAsFile()).filter(
    (entry) => entry !== null,
  )
  for (const entry of entries) {
    if (entry instanceof File) add(found, entry, entry.name)
    else await walk(found, entry)
  }
  return found
}

async function walk(found: Found, entry: FileSystemEntry): Promise<void> {
  if (isTools(entry.name)) return
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))
    return add(found, file, entry.fullPath.replace(/^\//, ''))
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (some.length === 0) return
    for (const each of some) await walk(found, each)
  }
}
