import { afterEach, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { codeOf } from '../common/api'
import { inWorker } from './in-worker'

const names: string[] = []
const fresh = () => {
  names.push(`threads ${Date.now()} ${names.length}`)
  return names.at(-1)!
}
afterEach(async () => {
  for (const name of names.splice(0)) await Nidus.destroy(name)
})
// These paths are complete. For a path with a variable in it, Vite loads every file that matches, even source maps.
const entry = new URL('../../dist/browser.js', import.meta.url).href
const wasm = new URL('../../dist/nidus.wasm', import.meta.url).href

interface Frame extends Window {
  Worker: unknown
  eval(code: string): unknown
  __vitest_browser_runner__: object
}

it('a page that cannot start a worker uses IndexedDB in its own thread', async () => {
  const name = fresh()
  const frame = document.body.appendChild(document.createElement('iframe'))
  const page = frame.contentWindow as unknown as Frame
  // The test server rewrites the package's `import()`.
  Object.assign(page, {
    Worker: undefined,
    __vitest_browser_runner__: { wrapDynamicImport: (load: () => unknown) => load() },
  })
  const own = (await page.eval(`import(${JSON.stringify(entry)})`)) as typeof import('nidus-wasm')
  const db = await own.Nidus.open(name, { dimension: 4 })
  expect(db.storage).toBe('indexeddb')
  await db.upsert('c', [{ id: 'a', vector: [1, 0, 0, 0] }])
  expect((await db.search([1, 0, 0, 0])).map((hit) => hit.id)).toEqual(['a'])
  expect(await codeOf(() => Nidus.open(name, { multiTab: false }))).toBe('LOCKED')
  await db.close()
  expect((await own.Nidus.list()).some((info) => info.name === name)).toBe(true)
  frame.remove()
  const here = await Nidus.open(name)
  expect([here.storage, await here.count()]).toEqual(['indexeddb', 1])
  await here.close()
})

it.for(['classic', 'module'] as const)(
  'a real service worker (%s), bundled into one file, shares a store in IndexedDB with pages',
  async (type) => {
    const name = fresh()
    const registration = await navigator.serviceWorker.register(`/service-worker.js?${type}`, {
      type,
      scope: `/service-worker-${type}/`,
    })
    try {
      const worker = (registration.installing ?? registration.active)!
      const ask = (id: string) =>
        new Promise((resolve) => {
          const { port1, port2 } = new MessageChannel()
          port1.onmessage = ({ data }) => resolve(data)
          worker.postMessage({ name, id, wasm }, [port2])
        })
      expect(await ask('a')).toEqual({ ok: ['indexeddb', ['a'], true] })
      const db = await Nidus.open(name)
      expect([db.storage, await db.count()]).toEqual(['indexeddb', 1])
      // While a page has the store open, the service worker asks that page.
      expect(await ask('b')).toEqual({ ok: ['indexeddb', ['a', 'b'], true] })
      expect(await db.count()).toBe(2)
      await db.upsert('c', [{ id: 'page', vector: [1, 0, 0, 0] }])
      await db.close()
      expect(await ask('b')).toEqual({ ok: ['indexeddb', ['a', 'b', 'page'], true] })
      const words = (textWasm: string) =>
        new Promise((resolve) => {
          const { port1, port2 } = new MessageChannel()
          port1.onmessage = ({ data }) => resolve(data)
          worker.postMessage({ name, id: 'b', wasm, textWasm }, [port2])
        })
      expect(await words(new URL('../../dist/nidus-text.wasm', import.meta.url).href)).toEqual({
        ok: [
          ['a', 'b'].map((id) => [id, { from: [[8, 14]] }]),
          { from: [{ value: 'service worker', count: 2 }] },
          ['a', 'b', 'page'],
        ],
      })
      // A service worker cannot use OPFS, and it does not replace a store that is there.
      const inFiles = await Nidus.open(fresh(), { dimension: 4 })
      await inFiles.close()
      const { port1, port2 } = new MessageChannel()
      const refused = new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)))
      worker.postMessage({ name: inFiles.name, id: 'c', wasm }, [port2])
      expect(await refused).toEqual({ error: expect.stringMatching(/^STORAGE_UNAVAILABLE.*opfs/) })
    } finally {
      await registration.unregister()
    }
  },
)

it("a worker of the page's own keeps a store in OPFS, and shares it with the page", async () => {
  const name = fresh()
  const { run, end } = inWorker(async ({ step, entry, name }: { step: string; entry: string; name: string }, load) => {
    const own = globalThis as unknown as { db?: Nidus; Worker: typeof Worker; started?: number }
    if (step === 'open') {
      own.started = 0
      own.Worker = class extends Worker {
        constructor(...args: ConstructorParameters<typeof Worker>) {
          super(...args)
          own.started!++
        }
      }
      const { Nidus } = (await load(entry)) as typeof import('nidus-wasm')
      own.db = await Nidus.open(name, { dimension: 4 })
      await own.db.upsert('c', [{ id: 'a', vector: [1, 0, 0, 0], attrs: { text: 'sun' } }])
      await own.db.setText('c', 'text')
    }
    if (step === 'close') await own.db!.close()
    if (step === 'destroy') {
      const { Nidus } = (await load(entry)) as typeof import('nidus-wasm')
      const listed = (await Nidus.list()).some((info) => info.name === name)
      await Nidus.destroy(name)
      return [listed, (await Nidus.list()).some((info) => info.name === name)]
    }
    return [own.db!.storage, own.started! > 0]
  })
  const step = (step: string) => run({ step, entry, name })
  // A worker that Firefox starts in a worker may never begin, so there none is started.
  const firefox = navigator.userAgent.includes('Firefox')
  expect(await step('open')).toEqual(['opfs', !firefox])
  const db = await Nidus.open(name)
  expect((await db.search([1, 0, 0, 0])).map(({ id }) => id)).toEqual(['a'])
  await db.upsert('c', [{ id: 'b', vector: [0, 1, 0, 0], attrs: { text: 'sun and moon' } }])
  await step('close')
  expect((await db.search({ text: 'sun' })).map(({ id }) => id)).toEqual(['a', 'b'])
  await db.close()
  expect(await step('destroy')).toEqual([true, false])
  end()
})
