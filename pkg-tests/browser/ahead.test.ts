import { afterEach, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'

const realFetch = globalThis.fetch
const realPost = Worker.prototype.postMessage
afterEach(() => {
  globalThis.fetch = realFetch
  Worker.prototype.postMessage = realPost
})

/** The path is a variable. If it were in the template, Vite would load every file that matches. */
const up = '../..'
const dist = (file: string) => new URL(`${up}/dist/${file}`, import.meta.url)

/** Returns whether a message has a compiled module in it. */
const hasModule = (part: unknown): boolean =>
  part instanceof WebAssembly.Module ||
  (typeof part === 'object' && part !== null && Object.values(part).some((inner) => hasModule(inner)))

/** Opens a store, writes, searches and destroys it. Returns what the page fetched, and how many modules it sent. */
async function used(answer: (url: string) => Promise<Response>, options = {}, started = (_: Worker) => {}) {
  const fetched: string[] = []
  let sent = 0
  globalThis.fetch = (input, init) => {
    if (!String(input).includes('/nidus-')) return realFetch(input, init)
    fetched.push(String(input).replace(/^.*\/|[?#].*$/g, ''))
    return answer(String(input))
  }
  const seen = new Set<Worker>()
  Worker.prototype.postMessage = function (this: Worker, message: unknown, ...rest: unknown[]) {
    if (!seen.has(this)) started(this)
    seen.add(this)
    if (hasModule(message)) sent++
    return (realPost as (...all: unknown[]) => void).call(this, message, ...rest)
  } as typeof realPost
  const name = `ahead ${Date.now()} ${Math.random()}`
  const db = await Nidus.open(name, { dimension: 2, ...options })
  await db.upsert('c', [
    { id: 'a', vector: [1, 0] },
    { id: 'b', vector: [0, 1] },
  ])
  expect((await db.search([0, 1], { topK: 1 }))[0]!.id).toBe('b')
  await db.close()
  if (db.storage !== 'memory') await Nidus.destroy(name)
  return { fetched, sent }
}
const FIRST = expect.stringMatching(/^nidus-first(-relaxed)?\.wasm$/)

// The page keeps the module, so these follow each other.

it('the worker loads the wasm by itself if the page cannot', async () => {
  for (const answer of [
    () => Promise.reject(new TypeError('no network')),
    () => Promise.resolve(new Response('', { status: 404 })),
    () => Promise.resolve(new Response('<!doctype html>', { headers: { 'content-type': 'application/wasm' } })),
  ])
    expect(await used(answer)).toEqual({ fetched: [FIRST], sent: 0 })
})

it('goes on if the page is suspended and woken while it loads the wasm', async () => {
  for (let times = 1; times <= 3; times++) {
    let load!: () => void
    const answer = new Promise<void>((resolve) => (load = resolve))
    let answered!: () => void
    const hello = new Promise<void>((resolve) => (answered = resolve))
    let workers = 0
    const made = used(
      async () => {
        await answer
        return new Response('', { status: 500 })
      },
      { worker: undefined },
      (worker) => {
        workers++
        worker.addEventListener('message', answered, { once: true })
      },
    )
    await hello
    for (let n = 0; n < times; n++) {
      document.dispatchEvent(new Event('freeze'))
      document.dispatchEvent(new Event('resume'))
    }
    load()
    expect((await made).sent).toBe(0)
    // The one that was ended, the next one, and the one that destroys the store.
    expect(workers).toBe(3)
  }
})

it('does not keep a file that is not of this package', async () => {
  const other = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])
  const answer = () => Promise.resolve(new Response(other, { headers: { 'content-type': 'application/wasm' } }))
  expect(await used(answer)).toEqual({ fetched: [FIRST], sent: 0 })
})

it('the page compiles the wasm once, and sends it to each worker', async () => {
  expect(await used((url) => realFetch(url))).toEqual({ fetched: [FIRST], sent: 1 })
  for (const storage of ['opfs', 'indexeddb', 'memory'])
    expect(await used((url) => realFetch(url), { storage })).toEqual({ fetched: [], sent: 1 })
})

it('the page does not compile it for search workers, or for a worker of the caller', async () => {
  const worker = () => new Worker(dist('worker.js'), { type: 'module' })
  expect(await used((url) => realFetch(url), { workers: 2 })).toEqual({ fetched: [], sent: 0 })
  expect(await used((url) => realFetch(url), { worker })).toEqual({ fetched: [], sent: 0 })
})

it('does not wait without end for the response that a page gives', async () => {
  const realTimeout = globalThis.setTimeout
  // Makes a minute of waiting short.
  globalThis.setTimeout = ((work: () => void, ms?: number) =>
    realTimeout(work, ms === 60_000 ? 30 : ms)) as typeof setTimeout
  try {
    const wasm = new Response(new ReadableStream(), { headers: { 'content-type': 'application/wasm' } })
    await expect(Nidus.open('hanging', { dimension: 2, wasm })).rejects.toMatchObject({
      code: 'FAILED',
      message: 'the .wasm file could not be loaded: it took over a minute',
    })
  } finally {
    globalThis.setTimeout = realTimeout
  }
  expect((await Nidus.list()).filter(({ name }) => name === 'hanging')).toEqual([])
})
