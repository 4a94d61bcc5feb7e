import { Nidus } from 'nidus-wasm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const NAME = 'owned'
const vector = Float32Array.of(1, 0)

const directoryOf = async () =>
  (
    await (await navigator.storage.getDirectory()).getDirectoryHandle('nidus-wasm', { create: true })
  ).getDirectoryHandle(NAME, { create: true })

async function put(file: string, text: string) {
  const writable = await (await (await directoryOf()).getFileHandle(file, { create: true })).createWritable()
  await writable.write(text)
  await writable.close()
}

/** Returns every byte of every file. */
async function bytes() {
  const found: Record<string, string> = {}
  for await (const [name, entry] of (await directoryOf()) as unknown as AsyncIterable<[string, FileSystemFileHandle]>) {
    const file = await entry.getFile()
    found[name] = [...new Uint8Array(await file.arrayBuffer())].map((byte) => byte.toString(16)).join(' ')
  }
  return found
}

async function make(storage: 'opfs' | 'indexeddb') {
  const db = await Nidus.open(NAME, { dimension: 2, storage })
  await db.upsert('d', [
    { id: 'a', vector },
    { id: 'b', vector },
  ])
  await db.close()
}

async function clear() {
  const root = await navigator.storage.getDirectory()
  await (
    await root.getDirectoryHandle('nidus-wasm', { create: true })
  )
    .removeEntry(NAME, { recursive: true })
    .catch(() => {})
  await new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(`nidus-wasm:${NAME}`)
    request.onsuccess = request.onerror = resolve
  })
  await Nidus.destroy(NAME)
}

beforeEach(clear)
afterEach(clear)

describe('OPFS', () => {
  it('names the head of another program in the error, and changes no byte', async () => {
    await put('head', 'my own notes on heads')
    const before = await bytes()
    await expect(Nidus.open(NAME, { dimension: 2, storage: 'opfs' })).rejects.toMatchObject({
      code: 'CORRUPT',
      message: expect.stringContaining('head'),
    })
    expect(await bytes()).toEqual(before)
    await expect(Nidus.destroy(NAME, { storage: 'opfs' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('head'),
    })
    expect(await bytes()).toEqual(before)
    // Without this file, the store can be destroyed after the test.
    await (await directoryOf()).removeEntry('head')
  })

  it.each(['data.0', 'log.0'])('refuses a store whose %s is missing, and creates nothing', async (file) => {
    await make('opfs')
    await (await directoryOf()).removeEntry(file)
    const before = await bytes()
    await expect(Nidus.open(NAME, { dimension: 2, storage: 'opfs' })).rejects.toMatchObject({
      code: 'CORRUPT',
      message: expect.stringContaining(file),
    })
    expect(await bytes()).toEqual(before)
  })

  it(
    "refuses a store whose head is missing, and another program's files without one, and " + 'creates nothing',
    async () => {
      await make('opfs')
      await (await directoryOf()).removeEntry('head')
      const before = await bytes()
      await expect(Nidus.open(NAME, { dimension: 2, storage: 'opfs' })).rejects.toMatchObject({
        code: 'CORRUPT',
        message: expect.stringContaining('head'),
      })
      expect(await bytes()).toEqual(before)
      await clear()

      await put('data.0', 'a,table,of,my,own')
      const own = await bytes()
      await expect(Nidus.open(NAME, { dimension: 2, storage: 'opfs' })).rejects.toMatchObject({
        code: 'CORRUPT',
        message: expect.stringContaining('data.0'),
      })
      await expect(Nidus.destroy(NAME, { storage: 'opfs' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      expect(await bytes()).toEqual(own)
    },
  )

  it('destroy leaves files that do not belong to the store', async () => {
    await make('opfs')
    await put('mine.txt', 'my own')
    await Nidus.destroy(NAME)
    expect(Object.keys(await bytes())).toEqual(['mine.txt'])
  })
})

describe('IndexedDB', () => {
  const foreign = () =>
    new Promise<void>((resolve, reject) => {
      const request = indexedDB.open(`nidus-wasm:${NAME}`, 1)
      request.onupgradeneeded = () => request.result.createObjectStore('mine').put('my own', 'key')
      request.onsuccess = () => (request.result.close(), resolve())
      request.onerror = () => reject(request.error)
    })
  const kept = () =>
    new Promise((resolve, reject) => {
      const request = indexedDB.open(`nidus-wasm:${NAME}`)
      request.onsuccess = () => {
        const get = request.result.transaction('mine').objectStore('mine').get('key')
        get.onsuccess = () => (request.result.close(), resolve(get.result))
        get.onerror = () => reject(get.error)
      }
      request.onerror = () => reject(request.error)
    })

  it('refuses a database that another program made, and changes nothing in it', async () => {
    await foreign()
    const refused = { code: 'CORRUPT', message: expect.stringContaining('another program') }
    await expect(Nidus.open(NAME, { dimension: 2, storage: 'indexeddb' })).rejects.toMatchObject(refused)
    await expect(Nidus.open(NAME, { readOnly: true, storage: 'indexeddb' })).rejects.toMatchObject(refused)
    await expect(Nidus.destroy(NAME, { storage: 'indexeddb' })).rejects.toMatchObject(refused)
    expect(await kept()).toBe('my own')
  })
})
