import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'

/** A path, or an address: `fetch` here does not know files. */
export async function readWasm(source: string | URL): Promise<Response | Uint8Array<ArrayBuffer>> {
  if (/^(https?|data|blob):/.test(String(source))) return fetch(source)
  const path = source instanceof URL || source.startsWith('file:') ? new URL(source) : resolve(source)
  return new Uint8Array(await readFile(path))
}
