import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { derivedSuite } from '../common/derived'
import { freshIn, temporaryFolder } from '../common/folder'
import { EVERY_CASE } from '../common/model'
import { MARK, POISON, poisoned, written } from '../common/words-file'

const root = temporaryFolder('derived')

const fresh = freshIn(root)
const file = {
  read: async (name: string) =>
    existsSync(join(name, 'words')) ? new Uint8Array(readFileSync(join(name, 'words'))) : undefined,
  write: async (name: string, bytes: Uint8Array) => writeFileSync(join(name, 'words'), bytes),
  all: async (name: string) => (existsSync(name) ? readdirSync(name) : []),
}
derivedSuite('fs', { fresh, options: () => ({}), again: true }, file)
derivedSuite('fs in compact memory', { fresh, options: () => ({ memory: 'compact' }), again: true }, file)
derivedSuite('fs with relaxed durability', { fresh, options: () => ({ durability: 'relaxed' }), again: true }, file)

const vector = [1, 0]
const texts = (count: number, word = 'river') =>
  Array.from({ length: count }, (_, i) => ({ id: `r${i}`, vector, attrs: { body: i === 5 ? MARK : `${word} ${i}` } }))
const count = async (db: Nidus, text: string) => (await db.search({ text }, { topK: 10_000 })).length

async function made(name = fresh(), records = texts(300)) {
  const db = await Nidus.open(name, { dimension: 2 })
  await db.createCollection('c', { text: 'body' })
  await db.upsert('c', records)
  await count(db, 'river')
  await db.close()
  return name
}
const poison = (name: string) => writeFileSync(join(name, 'words'), poisoned(readFileSync(join(name, 'words'))))

async function uses(name: string, options = {}) {
  const db = await Nidus.open(name, options)
  const found = [await count(db, POISON), await count(db, MARK), await count(db, 'river')]
  await db.close()
  return { used: found[0] === 1 && found[1] === 0, river: found[2] }
}

describe('the file of the indexes of words in a folder', () => {
  it('is written in the background, too', async () => {
    const name = fresh()
    const db = await Nidus.open(name, { dimension: 2 })
    await db.createCollection('c', { text: 'body' })
    await db.upsert('c', texts(300))
    expect((await written(() => file.read(name))).length).toBeGreaterThan(300)
    await db.close()
    expect(readdirSync(name).sort()).toEqual(['data', 'log', 'words'])
  })

  it('is written again for as many documents as an eighth of all, and is followed until then', async () => {
    const name = await made()
    const before = await file.read(name)
    for (const [from, same] of [
      [300, true],
      [310, true],
      [330, false],
    ] as const) {
      const db = await Nidus.open(name)
      await db.upsert('c', texts(from === 330 ? 600 : from + 10).slice(300))
      await count(db, 'river')
      await db.close()
      expect((await file.read(name))!.length === before!.length).toBe(same)
    }
  })

  it('is not written for a few documents', async () => {
    const name = await made(fresh(), texts(200))
    expect(readdirSync(name).sort()).toEqual(['data', 'log'])
  })

  it('goes with a folder that is copied', async () => {
    const name = await made()
    poison(name)
    const copy = fresh()
    cpSync(name, copy, { recursive: true })
    expect(await uses(copy)).toEqual({ used: true, river: 299 })
  })

  it('is read and never written by an opening that only reads', async () => {
    const name = await made()
    poison(name)
    const before = await file.read(name)
    expect(await uses(name, { readOnly: true })).toEqual({ used: true, river: 299 })
    expect(await file.read(name)).toEqual(before)
    rmSync(join(name, 'words'))
    expect(await uses(name, { readOnly: true })).toEqual({ used: false, river: 299 })
    expect(readdirSync(name).sort()).toEqual(['data', 'log'])
  })

  it('is not used with a log that is shorter, or is another one of the same length', async () => {
    const name = await made()
    const older = fresh()
    cpSync(name, older, { recursive: true })
    const grow = async (store: string, word: string) => {
      const db = await Nidus.open(store)
      await db.upsert('c', texts(600, word).slice(300))
      await count(db, 'river')
      await db.close()
    }
    const other = fresh()
    cpSync(name, other, { recursive: true })
    await grow(name, 'river')
    await grow(other, 'bayou')
    poison(name)
    const words = join(name, 'words')
    expect(await uses(name)).toEqual({ used: true, river: 599 })
    cpSync(words, join(older, 'words'))
    expect(await uses(older)).toEqual({ used: false, river: 299 })
    cpSync(words, join(other, 'words'))
    expect(readFileSync(join(other, 'log')).length).toBe(readFileSync(join(name, 'log')).length)
    expect(await uses(other)).toEqual({ used: false, river: 299 })
    // The file is not used either if the store has grown since.
    cpSync(words, join(other, 'words'))
    const db = await Nidus.open(other)
    await db.delete('c', 'r1')
    await db.close()
    cpSync(words, join(other, 'words'))
    expect(await uses(other)).toEqual({ used: false, river: 298 })
  })

  it('is not used for an import or a salvaged store, and is not exported', async () => {
    const name = await made()
    poison(name)
    const db = await Nidus.open(name)
    const exported = new Uint8Array(await new Response(await db.export()).arrayBuffer())
    await db.close()
    expect(Buffer.from(exported).includes('nidustx')).toBe(false)
    const other = await made(fresh(), texts(300, 'bayou'))
    poison(other)
    await (await Nidus.import(other, new Blob([exported]), { replace: true })).close()
    const imported = await Nidus.open(other)
    expect([await count(imported, POISON), await count(imported, 'river')]).toEqual([0, 299])
    await imported.close()
    const into = fresh()
    mkdirSync(into)
    cpSync(join(name, 'words'), join(into, 'words'))
    await Nidus.salvage(name, into)
    expect(await uses(into)).toEqual({ used: false, river: 299 })
  })

  it('leaves what is not its own: a folder, a link, a draft', async () => {
    for (const make of [
      (name: string) => mkdirSync(join(name, 'words')),
      (name: string) => symlinkSync(join(name, 'log'), join(name, 'words')),
      (name: string) => writeFileSync(join(name, 'words.draft'), 'a novel'),
    ]) {
      const name = fresh()
      mkdirSync(name)
      make(name)
      const before = readdirSync(name)
      await made(name)
      expect(await uses(name)).toEqual({ used: false, river: 299 })
      expect(readdirSync(name).sort()).toEqual([...before, 'data', 'log'].sort())
      await Nidus.destroy(name)
      expect(readdirSync(name)).toEqual(before)
    }
  })

  it('takes away the draft of a process that was killed', async () => {
    const name = await made()
    writeFileSync(join(name, 'words.draft'), readFileSync(join(name, 'words')).subarray(0, 100))
    await (await Nidus.open(name)).close()
    expect(readdirSync(name).sort()).toEqual(['data', 'log', 'words'])
    writeFileSync(join(name, 'words.draft'), new Uint8Array(10))
    await Nidus.destroy(name)
    expect(existsSync(name)).toBe(false)
  })

  it('does no harm if the process is killed while it writes the file', async () => {
    const name = await made()
    const writer = `
      import { Nidus } from ${JSON.stringify(new URL('../../dist/node.js', import.meta.url).href)}
      for (let n = 0; ; n++) {
        const db = await Nidus.open(${JSON.stringify(name)})
        const attrs = { body: 'bayou ' + n }
        await db.upsert('c', Array.from({ length: 400 }, (_, i) => ({ id: 'k' + i, vector: [1, 0], attrs })))
        await db.search({ text: 'river' })
        console.log('closing')
        await db.close()
      }`
    for (let n = 0; n < (EVERY_CASE ? 40 : 2); n++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', writer], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      for (let seen = 0; seen <= n % 3; seen++) await once(child.stdout, 'data')
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 12))
      child.kill('SIGKILL')
      await once(child, 'exit')
      const db = await Nidus.open(name)
      const { k0 } = Object.fromEntries((await db.get('c', ['k0'])).map((found) => [found!.id, found!.attrs['body']]))
      expect(await count(db, 'river')).toBe(299)
      expect(await count(db, 'bayou')).toBe(400)
      expect(await count(db, String(k0).split(' ')[1]!)).toBeGreaterThanOrEqual(400)
      await db.close()
      expect(readdirSync(name).sort()).toEqual(['data', 'log', 'words'])
    }
  })

  it('is of no use after native has compacted, and does not hinder it', async () => {
    // Native's compaction writes the documents in the order of their ids, with rows from 0 on. A new store that is
    // filled in this order has the same files.
    const name = await made()
    poison(name)
    const db = await Nidus.open(name)
    await db.delete('c', ['r10', 'r11'])
    await db.close()
    const other = fresh()
    const copy = await Nidus.open(other, { dimension: 2 })
    await copy.createCollection('c', { text: 'body' })
    const left = texts(300).filter(({ id }) => id !== 'r10' && id !== 'r11')
    await copy.upsert(
      'c',
      left.sort((a, b) => (a.id < b.id ? -1 : 1)),
    )
    await copy.close()
    for (const file of ['data', 'log']) cpSync(join(other, file), join(name, file))
    expect(await uses(name)).toEqual({ used: false, river: 297 })
  })
})
