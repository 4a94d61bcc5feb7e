import { expect, it } from 'vitest'
import { Nidus, type StorageHost, type SyncAccessHandle } from 'nidus-wasm'
import { init, Segment } from 'nidus-wasm/segment'

/** Whatever fails at the `nth` step of writing the new store. */
function host(bytes: { data: Uint8Array; log: Uint8Array }, failAt = Infinity) {
  let steps = 0
  let made = bytes
  const step = () => {
    if (++steps === failAt) throw new Error('the medium failed')
  }
  const handle = (pair: { data: Uint8Array; log: Uint8Array }, file: 'data' | 'log'): SyncAccessHandle => ({
    read: (buffer, { at }) => (buffer.set(pair[file].subarray(at, at + buffer.length)), Math.max(0, Math.min(buffer.length, pair[file].length - at))),
    write(buffer, { at }) {
      step()
      const grown = new Uint8Array(Math.max(pair[file].length, at + buffer.length))
      grown.set(pair[file])
      grown.set(buffer, at)
      pair[file] = grown
      return buffer.length
    },
    truncate: (size) => (step(), void (pair[file] = pair[file].slice(0, size))),
    flush: step,
    getSize: () => pair[file].length,
    close() {},
  })
  const both = (pair: typeof bytes) => ({ data: handle(pair, 'data'), log: handle(pair, 'log') })
  const log = { destroyed: 0, steps: () => steps, current: () => bytes }
  const own: StorageHost = {
    kind: 'mine',
    async open() {
      return both(bytes)
    },
    async create() {
      step()
      return both((made = { data: new Uint8Array(), log: new Uint8Array() }))
    },
    async promote() {
      step()
      bytes = made
    },
    async commit() {},
    async close() {},
    async destroy() {
      log.destroyed++
    },
  }
  return { own, log }
}

it('salvages from a host of its own into another in the page, whose stores have the smaller wasm', async () => {
  const empty = () => ({ data: new Uint8Array(), log: new Uint8Array() })
  const first = host(empty())
  const db = await Nidus.open('x', { dimension: 2, storage: first.own })
  await db.upsert('c', [{ id: 'a', vector: [1, 0] }, { id: 'b', vector: [0, 1] }])
  await db.close()
  const into = host(empty())
  expect((await Nidus.salvage('x', 'y', { storage: host(first.log.current()).own, into: into.own })).salvaged!.documents).toBe(2)
  const wasm = new URL('../../dist/nidus-page.wasm', import.meta.url)
  await expect(Nidus.salvage('x', 'y', { wasm, storage: 'opfs' })).rejects.toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('nidus.wasm') })
  await init()
  expect(Segment.inMemory(3).rowCount).toBe(0)
})
