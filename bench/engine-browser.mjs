// An engine's worker in a browser. It works like engine-node.mjs, over fetch.
import { durable } from './durable-browser.mjs'
import { engine } from './engine.mjs'

const locate = (name) => new URL(`/node_modules/${name}`, location.origin).href
async function bytes(url) {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url}: ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}

const calls = bytes('/wall.wasm').then((wall) =>
  engine({
    runtime: 'chromium',
    nidus: new URL('/dist/browser.js', location.origin).href,
    locate,
    asset: (name) => bytes(locate(name)),
    wall,
    read: async (file) => new Float32Array((await bytes(`/input/${file}`)).buffer),
    adapter: async (file, name) => (await import(`${location.origin}/bundle/adapters/${file}.mjs`))[name],
    durable,
  }),
)

self.onmessage = async ({ data: { id, op, args } }) => {
  try {
    self.postMessage({ id, value: await (await calls)[op](args ?? {}) })
  } catch (error) {
    self.postMessage({ id, error: String(error?.stack ?? error?.message ?? error) })
  }
}
