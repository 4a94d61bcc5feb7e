import { afterEach, describe, expect, it } from 'vitest'
import { Nidus, NidusError } from 'nidus-wasm'
import { codeOf } from '../common/api'
import { inWorker, patchedWorker } from './in-worker'

const D = 4
const used: string[] = []
const fresh = () => {
  used.push(`opfs ${Date.now()} ${used.length}`)
  return used.at(-1)!
}
afterEach(async () => {
  for (const name of used.splice(0)) await Nidus.destroy(name)
})

async function directory(name: string) {
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('nidus-wasm')
  return root.getDirectoryHandle(encodeURIComponent(name).replace(/\./g, '%2E'))
}
const read = async (name: string, file: string) =>
  new Uint8Array(await (await (await (await directory(name)).getFileHandle(file)).getFile()).arrayBuffer())
async function write(name: string, file: string, bytes: Uint8Array<ArrayBuffer>) {
  const writable = await (await (await directory(name)).getFileHandle(file, { create: true })).createWritable()
  await writable.write(bytes)
  await writable.close()
}
const lengths = async (name: string) =>
  Object.fromEntries(
    await Promise.all(
      ['head', 'data.0', 'log.0', 'data.1', 'log.1'].map(async (file) => [file, (await read(name, file)).length]),
    ),
  )

async function filled(name: string) {
  const db = await Nidus.open(name, { dimension: D })
  await db.upsert('c', [
    { id: 'a', vector: [1, 0, 0, 0] },
    { id: 'b', vector: [0, 1, 0, 0] },
  ])
  await db.upsert('c', [{ id: 'a', vector: [0, 0, 1, 0] }])
  return db
}

describe('the host on OPFS', () => {
  it('lists stores, and destroys a store only while it is closed', async () => {
    const name = fresh()
    const db = await filled(name)
    expect(await codeOf(() => Nidus.destroy(name))).toBe('LOCKED')
    await db.close()
    const found = (await Nidus.list()).find((info) => info.name === name)
    expect(found).toEqual({
      name,
      storage: 'opfs',
      dimension: D,
      diskBytes: 64 + 3 * D * 4 + (await read(name, 'log.0')).length,
    })
    await Nidus.destroy(name)
    expect((await Nidus.list()).find((info) => info.name === name)).toBeUndefined()
    await Nidus.destroy(name)
    expect(await codeOf(() => Nidus.open(name, { readOnly: true }))).toBe('NOT_FOUND')
  })

  it('refuses to open or destroy a store that another worker has open', async () => {
    const name = fresh()
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('nidus-wasm', { create: true })
    void root
    const db = await filled(name)
    await db.close()
    const path = ['nidus-wasm', encodeURIComponent(name), 'head']
    const worker = inWorker(async (path: string[]) => {
      let at = await navigator.storage.getDirectory()
      for (const part of path.slice(0, -1)) at = await at.getDirectoryHandle(part)
      const file = (await at.getFileHandle(path.at(-1)!)) as unknown as { createSyncAccessHandle(): Promise<object> }
      ;(globalThis as { held?: object }).held = await file.createSyncAccessHandle()
      return 'held'
    })
    expect(await worker.run(path)).toBe('held')
    const began = performance.now()
    expect(await codeOf(() => Nidus.open(name))).toBe('LOCKED')
    expect(performance.now() - began).toBeGreaterThan(1500)
    expect(await codeOf(() => Nidus.destroy(name))).toBe('LOCKED')
    const late = Nidus.open(name)
    setTimeout(() => worker.end(), 300)
    await (await late).close()
  })

  it('changes between its two pairs, and empties the old one after the next commit', async () => {
    const name = fresh()
    const db = await filled(name)
    await db.compact()
    const between = await lengths(name)
    expect(between).toMatchObject({ head: 560, 'data.0': 64 + 3 * D * 4, 'data.1': 64 + 2 * D * 4 })
    await db.upsert('c', [{ id: 'c', vector: [0, 0, 0, 1] }])
    expect(await lengths(name)).toMatchObject({ 'data.0': 0, 'log.0': 0, 'data.1': 64 + 3 * D * 4 })
    await db.compact()
    await db.close()
    const again = await Nidus.open(name)
    expect(await again.count()).toBe(3)
    expect((await again.search([0, 0, 1, 0], { topK: 1 }))[0]!.id).toBe('a')
    await again.close()
  })

  it('recovers from a half-written head, an unfinished creation and an unfinished compaction', async () => {
    const name = fresh()
    let db = await filled(name)
    await db.compact()
    await db.close()
    const head = await read(name, 'head')
    // The head was half written while generation 1 was promoted. Generation 0 is still whole, since no commit came
    // after it.
    const halfWritten = head.slice()
    halfWritten.fill(0xaa, 512, 520)
    await write(name, 'head', halfWritten)
    db = await Nidus.open(name, { autoCompact: false })
    expect((await db.footprint()).rows).toBe(3)
    expect(await db.count()).toBe(2)
    await db.close()
    await write(name, 'head', new Uint8Array(1024))
    expect(await codeOf(() => Nidus.open(name, { dimension: D }))).toBe('CORRUPT')
    expect((await read(name, 'data.0')).length).toBeGreaterThan(0)
    for (const file of ['data.0', 'log.0', 'data.1', 'log.1']) await write(name, file, new Uint8Array(0))
    db = await Nidus.open(name, { dimension: D })
    expect(db.recovery.created).toBe(true)
    await db.upsert('c', [{ id: 'x', vector: [1, 0, 0, 0] }])
    await db.close()
    await write(name, 'log.1', Uint8Array.from([1, 2, 3]))
    db = await Nidus.open(name)
    await db.compact()
    expect(await db.count()).toBe(1)
    await db.close()
    db = await Nidus.open(name)
    expect(await db.count()).toBe(1)
    await db.close()
  })

  it('does not mistake the pair that a commit emptied for a new store', async () => {
    const name = fresh()
    const db = await filled(name)
    await db.compact()
    await db.createCollection('later')
    await db.close()
    const head = await read(name, 'head')
    head.fill(0xaa, 512, 520)
    await write(name, 'head', head)
    expect(await codeOf(() => Nidus.open(name, { dimension: D }))).toBe('CORRUPT')
    expect((await read(name, 'data.1')).length).toBe(64 + 2 * D * 4)
  })

  it('cuts a half-written end and reports it, but not when it opens read-only', async () => {
    const name = fresh()
    await (await filled(name)).close()
    const log = await read(name, 'log.0')
    await write(name, 'log.0', log.slice(0, -3))
    const reader = await Nidus.open(name, { readOnly: true })
    expect(await reader.count()).toBe(2)
    expect(reader.recovery).toMatchObject({ frames: 1, created: false })
    expect(reader.recovery.bytes).toBeGreaterThan(0)
    await reader.close()
    expect((await read(name, 'log.0')).length).toBe(log.length - 3)
    const db = await Nidus.open(name)
    expect(db.recovery.frames).toBe(1)
    expect((await read(name, 'log.0')).length).toBe(log.length - 3 - db.recovery.logBytes)
    expect((await db.search([1, 0, 0, 0], { topK: 1 }))[0]!.id).toBe('a')
    await db.close()
  })

  it('writes hardly more than rows and frames', async () => {
    const name = fresh()
    const dimension = 384,
      count = 20_000
    // The package's worker, which counts the bytes that its synchronous handles write.
    const { worker, total } = countingWorker()
    const db = await Nidus.open(name, { dimension, worker })
    const vectors = Float32Array.from({ length: 100 * dimension }, (_, i) => Math.sin(i) + 0.01)
    for (let at = 0; at < count; at += 100)
      await db.upsert('c', { ids: Array.from({ length: 100 }, (_, i) => `id-${at + i}`), vectors })
    const { diskBytes } = await db.footprint()
    const written = await total()
    expect(diskBytes).toBeGreaterThan(count * dimension * 4)
    expect(written).toBeGreaterThanOrEqual(diskBytes)
    expect(written).toBeLessThanOrEqual(1.05 * (diskBytes + 0))
    await db.close()
  })

  it('reports a worker that cannot be started, and one that dies', async () => {
    const code = (worker: () => Worker) => codeOf(() => Nidus.open('never', { dimension: D, worker }))
    expect(
      await code(() => {
        throw new Error('blocked')
      }),
    ).toBe('WORKER_FAILED')
    for (const odd of [undefined, {}, Promise.resolve()]) expect(await code(() => odd as never)).toBe('WORKER_FAILED')
    expect(await code(() => new Worker('/nowhere/at/all.js', { type: 'module' }))).toBe('WORKER_FAILED')
    expect(await code(() => new Worker(URL.createObjectURL(new Blob(['throw new Error("broken")']))))).toBe(
      'WORKER_FAILED',
    )
    let mine: Worker | undefined
    const { worker } = countingWorker()
    const db = await Nidus.open(fresh(), { dimension: D, worker: () => (mine = worker()) })
    mine!.postMessage('die')
    expect(await db.closed).toMatchObject({ reason: 'failed', error: { code: 'WORKER_FAILED' } })
    expect(await codeOf(() => db.count())).toBe('WORKER_FAILED')
    await db.close()
  })

  it('reports wasm that cannot be loaded', async () => {
    const code = (wasm: string | Uint8Array<ArrayBuffer>) =>
      Nidus.open('never', { dimension: D, storage: 'memory', wasm }).then(
        () => '',
        (error: NidusError) => error.code,
      )
    expect(await code('/nowhere/nidus.wasm?raw-404')).toBe('FAILED')
    expect(await code('http://[')).toBe('FAILED')
    expect(await code(7 as never)).toBe('INVALID_ARGUMENT')
    expect(await code(new TextEncoder().encode('<!doctype html>'))).toBe('FAILED')
    expect(await code(Uint8Array.from([0, 0x61, 0x73, 0x6d, 9, 9, 9, 9]))).toBe('UNSUPPORTED')
  })

  it('refuses kinds of storage that a page does not have', async () => {
    expect(await codeOf(() => Nidus.open('x', { dimension: D, storage: 'fs' }))).toBe('STORAGE_UNAVAILABLE')
  })
})

function countingWorker() {
  const script = `
    let written = 0
    const real = FileSystemSyncAccessHandle.prototype.write
    FileSystemSyncAccessHandle.prototype.write = function (buffer, options) {
          const n = real.call(this, buffer, options)
          written += n
          return n
        }
    addEventListener('message', ({ data, ports }) => {
      if (data === 'die') setTimeout(() => { throw new Error('died') })
      if (data === 'total') ports[0].postMessage(written)
    })
    addEventListener('message', (event) => { if (typeof event.data === 'string') event.stopImmediatePropagation() })
  `
  let started: Worker
  return {
    worker: () => (started = patchedWorker(script)),
    total: () =>
      new Promise<number>((resolve) => {
        const { port1, port2 } = new MessageChannel()
        port1.onmessage = ({ data }) => resolve(data as number)
        started.postMessage('total', [port2])
      }),
  }
}
