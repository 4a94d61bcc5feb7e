// The worker of one peer in a browser. It is like node.mjs, but reads files by fetch.
import { callsOf } from './calls.mjs'
import { durable, opening } from './durable-browser.mjs'

const locate = (name) => new URL(`/node_modules/${name}`, location.origin).href
async function bytes(url) {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url}: ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}

const calls = bytes('/wall.wasm').then((wall) =>
  callsOf({
    runtime: 'chromium',
    nidus: new URL('/dist/browser.js', location.origin).href,
    segment: new URL('/dist/segment-browser.js', location.origin).href,
    locate,
    dist: (name) => new URL(`/dist/${name}`, location.origin).href,
    asset: (name) => bytes(locate(name)),
    wall,
    read: async (file) => new Float32Array((await bytes(`/input/${file}`)).buffer),
    adapter: async (file, name) => (await import(`${location.origin}/bundle/peers/${file}.mjs`))[name],
    durable,
    opening,
  }),
)

self.onmessage = async ({ data: { id, op, args } }) => {
  try {
    self.postMessage({ id, value: await (await calls)[op](args ?? {}) })
  } catch (error) {
    self.postMessage({ id, error: String(error?.stack ?? error?.message ?? error) })
  }
}
