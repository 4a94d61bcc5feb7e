import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { chromium, firefox } from 'playwright'
import * as installed from '../../scripts/browsers.mjs'
import type { Event } from './medium'
import { DIMENSION, runPlan, type Plan } from './plan'

export interface Traced {
  events: Event[]
  plan: Plan
}

/**
 * A script that runs before the package's worker. It records every call on a synchronous handle, and between them which
 * calls the page says were acknowledged.
 */
const WATCH = `
  const events = []
  const numbers = new Map()
  const files = new WeakMap()
  const handles = FileSystemSyncAccessHandle.prototype
  const opening = FileSystemFileHandle.prototype.createSyncAccessHandle
  FileSystemFileHandle.prototype.createSyncAccessHandle = async function (...args) {
    const handle = await opening.apply(this, args)
    if (!numbers.has(this.name)) {
      numbers.set(this.name, numbers.size)
      events.push({ kind: 'link', name: this.name, file: numbers.get(this.name) })
    }
    files.set(handle, numbers.get(this.name))
    return handle
  }
  const { write, truncate, flush } = handles
  handles.write = function (buffer, options) {
    const written = write.call(this, buffer, options)
    const bytes =
      buffer instanceof ArrayBuffer
        ? new Uint8Array(buffer)
        : new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    events.push({ kind: 'write', file: files.get(this), at: options.at, bytes: [...bytes.subarray(0, written)] })
    return written
  }
  handles.truncate = function (size) {
    truncate.call(this, size)
    events.push({ kind: 'truncate', file: files.get(this), size })
  }
  handles.flush = function () {
    flush.call(this)
    events.push({ kind: 'flush', file: files.get(this) })
  }
  const held = []
  let ready = false
  addEventListener('message', (event) => {
    if (event.data?.watch === 'mark') events.push({ kind: 'allow', from: event.data.from, to: event.data.to })
    if (event.data?.watch) {
      event.stopImmediatePropagation()
      event.ports[0].postMessage(event.data.watch === 'events' ? events : null)
    } else if (!ready) {
      event.stopImmediatePropagation()
      held.push(event.data)
    }
  })
  import(new URL('/dist/worker.js', WHERE).href).then(() => {
    ready = true
    for (const data of held) dispatchEvent(new MessageEvent('message', { data }))
  })
`

function serve() {
  const types: Record<string, string> = { js: 'text/javascript', wasm: 'application/wasm' }
  const server = createServer((request, response) => {
    const path = new URL(request.url!, 'http://localhost').pathname
    if (path === '/') return response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>')
    if (!/^\/dist\/[\w.-]+$/.test(path)) return response.writeHead(404).end()
    response
      .writeHead(200, { 'content-type': types[path.split('.').pop()!] ?? 'text/plain' })
      .end(readFileSync(new URL(`../..${path}`, import.meta.url)))
  })
  return new Promise<{ url: string; close(): void }>((resolve) =>
    server.listen(0, '127.0.0.1', () =>
      resolve({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close: () => server.close() }),
    ),
  )
}

/** Runs a plan in a page of a real browser. Its store is in a real worker over real OPFS. */
async function record(type: typeof chromium, options: object, plan: Plan): Promise<Traced> {
  const server = await serve()
  const browser = await type.launch(options)
  try {
    const page = await browser.newPage()
    await page.goto(server.url)
    const run = `(async ({ plan, dimension, watch }) => {
      const { Nidus } = await import('/dist/browser.js')
      let worker
      const ask = (message) => new Promise((resolve) => {
        const { port1, port2 } = new MessageChannel()
        port1.onmessage = ({ data }) => resolve(data)
        worker.postMessage(message, [port2])
      })
      const script = watch.replace('WHERE', JSON.stringify(location.href))
      const db = await Nidus.open('trace ' + Math.random(), { dimension, autoCompact: false,
        worker: () => {
          const address = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }))
          return (worker = new Worker(address, { type: 'module' }))
        } })
      await (${runPlan.toString()})(db, plan, (from, to) => ask({ watch: 'mark', from, to }))
      const events = await ask({ watch: 'events' })
      await db.close()
      return JSON.stringify(events)
    })(${JSON.stringify({ plan, dimension: DIMENSION, watch: WATCH })})`
    const events = JSON.parse(await page.evaluate<string>(run)) as Event[]
    const first: Event = { kind: 'allow', from: 0, to: 0 }
    return {
      plan,
      events: [
        first,
        ...events.map((event) => (event.kind === 'write' ? { ...event, bytes: Uint8Array.from(event.bytes) } : event)),
      ],
    }
  } finally {
    await browser.close()
    server.close()
  }
}

const present = installed.present()
export const browsers = [
  { name: 'Chromium', missing: !present.chromium, record: (plan: Plan) => record(chromium, installed.chromium, plan) },
  { name: 'Firefox', missing: !present.firefox, record: (plan: Plan) => record(firefox, installed.firefox, plan) },
]
