import { open, stat } from 'node:fs/promises'
import { NidusError, invalid, storageError } from '../errors/errors.js'
import { directoryOf } from '../hosts/fs/ownership.js'
import { fsHost } from '../hosts/fs/host.js'
import type { ImportSource, SyncAccessHandle } from '../types/index.js'
import { PIECE } from './source.js'

/** Returns the files of a directory of native nidus, or of a tar. */
export async function filesOf(given: string | URL): Promise<ImportSource> {
  if (/^https?:/i.test(`${given}`)) throw invalid(`"${given}" is an address: fetch it, and import the Response`)
  const path = given instanceof URL || /^file:/i.test(given) || given.includes('\0') ? directoryOf(`${given}`) : given
  try {
    if (!(await stat(path)).isDirectory()) return tarFile(path)
    return await directory(path)
  } catch (error) {
    throw storageError(error, `${path} could not be opened`, true)
  }
}

async function* tarFile(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path)
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read(new Uint8Array(PIECE), 0, PIECE)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

/** Reads a directory as a read-only open does: without a lock, and ignoring a compaction that was interrupted. */
async function directory(path: string): Promise<ImportSource> {
  const host = fsHost(path)
  const files = await host.open({ readOnly: true, mustExist: true })
  let unread = 2
  async function* all(file: SyncAccessHandle): AsyncGenerator<Uint8Array> {
    let last = true
    try {
      for (let at = 0; ;) {
        const bytes = new Uint8Array(PIECE)
        const read = file.read!(bytes, { at })
        if (read === 0) break
        yield bytes.subarray(0, read)
        at += read
      }
      last = --unread === 0
      if (last && (await host.changed!(files)) !== 'no')
        throw new NidusError(
          'LOCKED',
          `the store in ${path} was changed while it was being imported: somebody writes to it`,
        )
    } finally {
      if (last) for (const file of [files.data, files.log]) file.close()
    }
  }
  return { data: all(files.data), log: all(files.log) }
}
