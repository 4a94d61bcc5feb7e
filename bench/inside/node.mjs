// The process of one peer in Node. Calls come in as messages, and answers go back.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { callsOf } from './calls.mjs'
import { durable, opening } from './durable-node.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const locate = (name) => join(here, '../node_modules', name)
// Some peers have CommonJS glue that was written for bundlers.
globalThis.require ??= createRequire(import.meta.url)

// The nearest package.json is that of the peers. The package's own name is in the one of the repository.
const named = (name) => pathToFileURL(createRequire(join(here, '../../package.json')).resolve(name)).href

const calls = callsOf({
  nidus: named('nidus-wasm'),
  segment: named('nidus-wasm/segment'),
  runtime: 'node',
  locate,
  dist: (name) => join(here, '../../dist', name),
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
  busy() {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  },
  adapter: async (file, name) => (await import(`../peers/${file}.mjs`))[name],
  durable,
  opening,
})

process.on('message', async ({ id, op, args }) => {
  try {
    process.send({ id, value: await calls[op](args ?? {}) })
  } catch (error) {
    process.send({ id, error: String(error?.stack ?? error?.message ?? error) })
  }
})
// Without the parent, nobody else would end this process.
process.on('disconnect', () => process.exit())
