// The gzip bytes that a page loads. For this package these are the files that a real page was seen to load. Other
// packages are bundled and minified, and the files that they load at run time are added.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { at } from '../../scripts/lib.mjs'
import { bundled } from '../runtimes/server.mjs'

export const title = 'downloads'
export const runtimes = ['chromium']

const bench = fileURLToPath(new URL('..', import.meta.url))
const gzip = (bytes) => gzipSync(bytes, { level: 9 }).length

export async function run({ runtime, peers }) {
  const found = []
  for (const [label, rows, coded] of [
    ['nidus-wasm', 1000, false],
    ['nidus-wasm, 2,000 rows', 2000, true],
  ]) {
    const files = await runtime.downloads(rows, coded)
    found.push({ label, bytes: files.reduce((sum, name) => sum + gzip(readFileSync(at('dist', name))), 0), files })
  }
  for (const { package: name, download } of peers) {
    if (!download || found.some(({ label }) => label === name)) continue
    try {
      found.push({ label: name, bytes: await weigh(download) })
    } catch (error) {
      found.push({ label: name, failed: String(error.message).split('\n')[0] })
    }
  }
  return found
}

async function weigh({ bundle, files = [] }) {
  let bytes = 0
  for (const entry of bundle) {
    const stdin = { contents: `export * from ${JSON.stringify(entry)}`, resolveDir: bench }
    const options = { entryPoints: undefined, stdin, minify: true, loader: { '.wasm': 'empty' } }
    bytes += gzip(await bundled(undefined, options))
  }
  for (const file of files) {
    const path = join(bench, 'node_modules', file)
    if (existsSync(path)) bytes += file.endsWith('.gz') ? readFileSync(path).length : gzip(readFileSync(path))
  }
  return bytes
}
