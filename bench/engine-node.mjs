// An engine's process in Node. Calls come in as messages, and answers go back.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { durable } from './durable-node.mjs'
import { engine } from './engine.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const locate = (name) => join(here, 'node_modules', name)
// Some peers have CommonJS glue that was written for bundlers.
globalThis.require ??= createRequire(import.meta.url)

// The package is imported by the name of the repository's own package.json. The nearest package.json here is that of
// the peers.
const nidus = pathToFileURL(createRequire(join(here, '../package.json')).resolve('nidus-wasm')).href

const calls = engine({
  nidus,
  runtime: 'node',
  locate,
  asset: (name) => readFileSync(locate(name)),
  wall: process.env.BENCH_WALL && readFileSync(process.env.BENCH_WALL),
  read: (file) => {
    const bytes = readFileSync(file)
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
  },
  heapBytes() {
    for (let n = 0; n < 3; n++) globalThis.gc()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  },
  adapter: async (file, name) => (await import(`./adapters/${file}.mjs`))[name],
  durable,
})

process.on('message', async ({ id, op, args }) => {
  try {
    process.send({ id, value: await calls[op](args ?? {}) })
  } catch (error) {
    process.send({ id, error: String(error?.stack ?? error?.message ?? error) })
  }
})
// The parent is gone, so nobody else will end this process.
process.on('disconnect', () => process.exit())
