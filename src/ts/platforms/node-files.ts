import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Runtime, WasmFiles } from '../runtime/configure.js'

// `new URL('…', import.meta.url)` would not do: webpack would take it for an asset and pass a wrong URL to
// readFileSync.
// Each name is written out: Turbopack takes a name that it cannot know for any file of the package.
const here = import.meta.url
export const searchWorker = () => new URL('./search-worker-node.js', here)

const wasm: WasmFiles = {
  relaxed: () => new Uint8Array(readFileSync(new URL('./nidus-relaxed.wasm', here))),
  plain: () => new Uint8Array(readFileSync(new URL('./nidus.wasm', here))),
}

/** Reads a path, or an address: `fetch` does not know files in Node. */
async function readWasm(source: string | URL): Promise<Response | Uint8Array<ArrayBuffer>> {
  if (/^(https?|data|blob):/.test(String(source))) return fetch(source)
  const path = source instanceof URL || source.startsWith('file:') ? new URL(source) : resolve(source)
  return new Uint8Array(await readFile(path))
}

const text: NonNullable<Runtime['text']> = async () => {
  const { openText } = await import('../text/index.js')
  const module = async () => WebAssembly.compile(new Uint8Array(await readFile(new URL('./nidus-text.wasm', here))))
  return { openText, module }
}

/** The package's own files, as Node, Deno and Bun read them. */
export const nodeFiles: Pick<Runtime, 'wasm' | 'readWasm' | 'text'> = { wasm, readWasm, text }
