// Makes the calls of ../common/keys for each entry that pages have.
import { createElement as h, useEffect } from 'react'
import { expect, it } from 'vitest'
import { taken } from 'virtual:public-types'
import { useNidus, useSearch } from 'nidus-wasm/react'
import { callsOfLive, callsOfNidus, callsOfSegment, walkKeys, walkValues, type Calls } from '../common/keys'

let made = 0

async function walk(calls: Calls, what: string, of: string) {
  const own = taken.filter(({ place }) => place.startsWith(of))
  expect(Object.keys(calls).sort()).toEqual(own.map(({ place }) => place).sort())
  const [keys, values] = [await walkKeys(own, calls), await walkValues(own, calls)]
  console.log(
    `${what}: ${keys} objects with a misspelt key and ${values} values of a wrong type were refused, in ` +
      `${own.length} places`,
  )
}

const slim = {
  worker: () => new Worker(new URL('../../dist/worker.js', import.meta.url), { type: 'module' }),
  wasm: new URL('../../dist/nidus.wasm', import.meta.url).href,
}
it.each([
  ['nidus-wasm', () => import('nidus-wasm'), {}],
  ['nidus-wasm/slim', () => import('nidus-wasm/slim'), slim],
  ['nidus-wasm/inline', () => import('nidus-wasm/inline'), {}],
] as const)(
  '%s refuses misspelt keys and values of a wrong type in each object that a method takes',
  async (name, load, more) => {
    const entry = (await load()) as typeof import('nidus-wasm')
    const db = await entry.Nidus.open(`keys ${name}`, { storage: 'memory', dimension: 3, ...more })
    await db.upsert('docs', [{ id: 'a', vector: [1, 0, 0] }])
    await walk(callsOfNidus(entry, db, more), name, 'Nidus.')
    expect(await db.count()).toBe(1)
    await db.close()
  },
)

it('nidus-wasm/segment refuses them, too', async () => {
  const { Segment, init } = await import('nidus-wasm/segment')
  await init()
  await walk(callsOfSegment(Segment), 'nidus-wasm/segment', 'Segment.')
})

it('nidus-wasm/live and the hooks of nidus-wasm/react refuse them, too', async () => {
  const { Nidus } = await import('nidus-wasm')
  const db = await Nidus.open('keys live', { storage: 'memory', dimension: 3 })
  await db.setText('docs', 'a')
  await walk(callsOfLive(await import('nidus-wasm/live'), db), 'nidus-wasm/live', 'live')
  const { page, root } = (await import('./react-page')).silentRoot()
  /** Shows a component until what it uses is there, or has failed. */
  const shown = (use: () => { status: string; error: Error | undefined }) =>
    new Promise<void>((resolve, reject) => {
      function Page() {
        const { status, error } = use()
        useEffect(() => {
          if (error) reject(error)
          else if (status === 'open' || status === 'done') resolve()
        })
        return null
      }
      root.render(h(page, { key: made, failed: reject }, h(Page, { key: made++ })))
    })
  await walk(
    {
      'useNidus(options)': (o) =>
        shown(() => useNidus(`keys ${made}`, { storage: 'memory', dimension: 3, ...o } as object)),
      'useSearch(options)': (o) => shown(() => useSearch(db, 'x', o)),
    },
    'nidus-wasm/react',
    'use',
  )
  root.unmount()
  await db.close()
})

it('says that the memory of a wasm module cannot be transferred, and copies a part of it', async () => {
  const { Nidus } = await import('nidus-wasm')
  const db = await Nidus.open('given', { storage: 'memory', dimension: 4 })
  const memory = new WebAssembly.Memory({ initial: 1 })
  const vectors = new Float32Array(memory.buffer).fill(1)
  const ids = Array.from({ length: vectors.length / 4 }, (_, i) => `${i}`)
  await expect(db.upsert('c', { ids, vectors }, { transfer: true })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(/^this cannot be sent to the worker: /),
  })
  expect([vectors.length, vectors[5], await db.count()]).toEqual([16384, 1, 0])
  expect(await db.upsert('c', { ids: ['a'], vectors: vectors.subarray(4, 8) }, { transfer: true })).toBe(1)
  expect(await db.upsert('c', { ids, vectors })).toBe(ids.length)
  await db.close()
})
