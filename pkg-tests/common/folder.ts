// Folders for the files of tests in Node.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** Makes a temporary folder, which is removed after all tests of the file. `of` is a part of its name. */
export function temporaryFolder(of: string): string {
  const folder = mkdtempSync(join(tmpdir(), `nidus-${of}-`))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Returns a function that returns a new path in the folder at each call. */
export function freshIn(folder: string, prefix = 's'): (end?: string) => string {
  let n = 0
  return (end = '') => join(folder, `${prefix}${n++}${end}`)
}
