import { closeSync, fstatSync, lstatSync, openSync, readSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { Derived } from '../../contract/derived.js'
import { WORDS, isWords } from '../../format/words-file.js'
import { FsFile, type Guard } from './file.js'
import { remove } from './promote.js'

/** The name of the file while it is written. */
const DRAFT = 'words.draft'
const PIECE = 1 << 20

type Whose = 'nobody' | 'ours' | 'foreign'

function whose(path: string): Whose {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (!found) return 'nobody'
  if (!found.isFile()) return 'foreign'
  const file = openSync(path, 'r')
  try {
    const head = new Uint8Array(8)
    return isWords(head.subarray(0, readSync(file, head, 0, 8, 0))) ? 'ours' : 'foreign'
  } finally {
    closeSync(file)
  }
}

/** Removes the file of the indexes of words, and what is left of one that was being written. */
export function removeWords(directory: string, names = [WORDS, DRAFT]) {
  for (const name of names) if (whose(join(directory, name)) === 'ours') remove(directory, name)
}

/** Removes what a process that was killed left of the file. */
export const removeDraft = (directory: string) => removeWords(directory, [DRAFT])

/** Returns the place of the derived file in a store's directory. The file is complete as soon as it has its name. */
export function fsDerived(directory: string, guard: Guard): Derived {
  const path = join(directory, WORDS)
  const draft = join(directory, DRAFT)
  return {
    async read() {
      return whose(path) === 'ours' ? pieces(path) : undefined
    },
    async write(all) {
      guard.check()
      removeDraft(directory)
      const refused = [path, draft].find((name) => whose(name) === 'foreign')
      if (refused !== undefined) throw new Error(`${refused} is another program's`)
      const file = new FsFile(openSync(draft, 'wx'), draft, guard)
      try {
        let at = 0
        for await (const piece of all) at += file.write(piece, { at })
        file.close()
        guard.check()
        // It is not synced: after a power cut its checksums tell whether all bytes are there.
        renameSync(draft, path)
      } catch (error) {
        file.close()
        if (!guard.lost) remove(directory, DRAFT)
        throw error
      }
    },
    async remove() {
      guard.check()
      removeWords(directory)
    },
  }
}

async function* pieces(path: string) {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    for (let at = 0; at < size;) {
      const piece = new Uint8Array(Math.min(PIECE, size - at))
      const read = readSync(file, piece, 0, piece.length, at)
      if (read === 0) return
      yield piece.subarray(0, read)
      at += read
    }
  } finally {
    closeSync(file)
  }
}
