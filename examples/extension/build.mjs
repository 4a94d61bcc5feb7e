// esbuild does not change the addresses of the workers, of the wasm and of the module that finds words. So these files
// must be in the folder of its output.
import { copyFileSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

mkdirSync('dist', { recursive: true })
await build({ entryPoints: ['page.js'], outdir: 'dist', bundle: true, format: 'esm' })
const parts = dirname(fileURLToPath(import.meta.resolve('nidus-wasm/nidus.wasm')))
for (const name of [
  'worker.js',
  'worker-opfs.js',
  'nidus.wasm',
  'nidus-relaxed.wasm',
  'nidus-first.wasm',
  'nidus-first-relaxed.wasm',
  'nidus-rest.wasm',
  'nidus-rest-relaxed.wasm',
  'nidus-codes.wasm',
  'nidus-codes-relaxed.wasm',
  'text.js',
  'nidus-text.wasm',
])
  copyFileSync(join(parts, name), join('dist', name))
for (const name of ['manifest.json', 'page.html']) copyFileSync(name, join('dist', name))
