import { afterEach, expect, it } from 'vitest'
import { Nidus, type StorageKind } from 'nidus-wasm'
import { codeOf } from '../common/api'
import { answer, inDatabase } from './idb-tools'

const used: string[] = []
const fresh = () => {
  used.push(`salvage${Date.now()}x${used.length}`)
  return used.at(-1)!
}
afterEach(async () => {
  for (const name of used.splice(0)) await Nidus.destroy(name)
})

type Change = (log: Uint8Array) => void
interface Medium {
  read(name: string): Promise<string>
  damageLog(name: string, change: Change): Promise<void>
}

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
const directory = async (name: string) =>
  (await (await navigator.storage.getDirectory()).getDirectoryHandle('nidus-wasm')).getDirectoryHandle(name)

const opfs: Medium = {
  async read(name) {
    const found: string[] = []
    for await (const [file, handle] of (await directory(name)) as unknown as AsyncIterable<
      [string, FileSystemFileHandle]
    >) {
      found.push(`${file} ${hex(new Uint8Array(await (await handle.getFile()).arrayBuffer()))}`)
    }
    return found.sort().join('\n')
  },
  async damageLog(name, change) {
    const handle = await (await directory(name)).getFileHandle('log.0')
    const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer())
    change(bytes)
    const writable = await handle.createWritable()
    await writable.write(bytes)
    await writable.close()
  },
}

const indexeddb: Medium = {
  read: (name) =>
    inDatabase(name, async (meta, extents) =>
      JSON.stringify([
        await answer(meta.get('store')),
        await answer(extents.getAllKeys()),
        ((await answer(extents.getAll())) as Uint8Array[]).map(hex),
      ]),
    ),
  damageLog: (name, change) =>
    inDatabase(name, async (_, extents) => {
      const keys = (await answer(extents.getAllKeys())).filter((key) => (key as string[])[0] === 'log')
      const values = await Promise.all(keys.map((key) => answer(extents.get(key) as IDBRequest<Uint8Array>)))
      const log = new Uint8Array(values.flatMap((value) => [...value]))
      change(log)
      let at = 0
      await Promise.all(keys.map((key, i) => answer(extents.put(log.slice(at, (at += values[i]!.length)), key))))
    }),
}

for (const [storage, medium] of Object.entries({ opfs, indexeddb }) as [StorageKind, Medium][]) {
  it(`salvages a damaged store in ${storage}, and changes none of its bytes`, async () => {
    const [name, into] = [fresh(), fresh()]
    const db = await Nidus.open(name, { dimension: 2, storage })
    for (const id of ['first', 'second', 'third']) await db.upsert('docs', [{ id, vector: [1, 2], attrs: { id } }])
    await db.close()
    await medium.damageLog(name, (log) => {
      const at = new TextDecoder('latin1').decode(log).indexOf('second')
      log[at]! ^= 1
    })
    expect(await codeOf(() => Nidus.open(name))).toBe('CORRUPT')
    const before = await medium.read(name)
    const report = await Nidus.salvage(name, into)
    expect(report).toMatchObject({
      documents: 2,
      collections: 1,
      rows: 3,
      rowsWithoutDocument: 1,
      framesSkipped: 1,
      damageCount: 1,
    })
    expect(await medium.read(name)).toBe(before)
    const whole = await Nidus.open(into)
    expect(whole.storage).toBe(storage)
    expect((await whole.get('docs', ['first', 'second', 'third'])).map((record) => record?.attrs.id)).toEqual([
      'first',
      undefined,
      'third',
    ])
    await whole.close()
    expect(await codeOf(() => Nidus.salvage(name, into))).toBe('ALREADY_EXISTS')
    expect(await codeOf(() => Nidus.salvage(fresh(), fresh()))).toBe('NOT_FOUND')
    expect((await Nidus.list()).filter((info) => used.includes(info.name)).map((info) => info.name)).toEqual(
      [name, into].sort(),
    )
  })
}
