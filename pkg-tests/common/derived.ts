import { describe, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import type { Place } from './api'
import { EVERY_CASE, random, someOf } from './model'
import { D, check, someTexts, type Random } from './text'
import { TextModel } from './text-model'
import { MARK, POISON, partsOf, poisoned, seal } from './words-file'

/** The file of the indexes of words, in one kind of storage. It is used only while the store is not open. */
export interface WordsFile {
  read(name: string): Promise<Uint8Array | undefined>
  write(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>
  /** The names or keys of everything that is kept under the name of the store. */
  all?(name: string): Promise<string[]>
}

/** The number of documents. For fewer, no file is written. */
const MANY = 300
const SETTINGS = { a: { title: { weight: 3 }, body: {} }, b: { body: {} } }

/** Checks that a store finds the same with the file of its indexes as without, whatever happened to the file. */
export function derivedSuite(kind: string, place: Place, file: WordsFile) {
  const open = (name: string) => Nidus.open(name, { dimension: D, ...place.options() })
  const record = (r: Random, id: string) => ({ id, vector: r.vector(D), attrs: someTexts(r) })

  /** Makes a store that has a file. Returns a model with the same records. */
  async function filled(name: string, r: Random) {
    const db = await open(name)
    const model = new TextModel()
    for (const [collection, settings] of Object.entries(SETTINGS)) {
      await db.createCollection(collection, { text: settings })
      const records = Array.from({ length: MANY }, (_, i) => record(r, `r${i}`))
      records[7]!.attrs = { title: MARK, body: MARK }
      await put(db, model, collection, records)
      model.collection(collection).text = Object.fromEntries(
        Object.entries<{ weight?: number }>(settings).map(([field, { weight = 1 }]) => [field, weight]),
      )
    }
    await check(db, model, r)
    expect(await count(db, MARK)).toBe(2)
    await db.close()
    expect(partsOf((await file.read(name))!).parts.map(({ collection }) => collection)).toEqual(['a', 'b'])
    return model
  }

  async function put(db: Nidus, model: TextModel, collection: string, records: ReturnType<typeof record>[]) {
    await db.upsert(collection, records)
    for (const { id, vector, attrs } of records) model.collection(collection).docs.set(id, { vector, attrs })
  }

  const count = async (db: Nidus, text: string) => (await db.search({ text }, { topK: 1000 })).length

  /** Opens the store, and checks its answers and whether it used the file. */
  async function opens(name: string, model: TextModel, r: Random, used: boolean, questions = 8) {
    const db = await open(name)
    expect(await count(db, POISON), 'documents that only the file has').toBe(used ? 2 : 0)
    expect(await count(db, MARK)).toBe(used ? 0 : 2)
    for (let n = 0; n < questions; n++) await check(db, model, r)
    await db.close()
  }

  const poison = async (name: string) => file.write(name, poisoned((await file.read(name))!))

  describe(`the file of the indexes of words over ${kind}`, () => {
    it('is used by an opening, and makes no difference', async () => {
      const [name, r] = [place.fresh(), random(1)]
      const model = await filled(name, r)
      await poison(name)
      await opens(name, model, r, true)
    })

    it('is used with the writes that came behind it', async () => {
      const [name, r] = [place.fresh(), random(2)]
      const model = await filled(name, r)
      await poison(name)
      const db = await open(name)
      await put(db, model, 'a', [record(r, 'r3'), record(r, 'new'), record(r, 'r9')])
      await db.delete('a', ['r20', 'r21'])
      for (const id of ['r20', 'r21']) model.collection('a').docs.delete(id)
      await put(db, model, 'a', [record(r, 'in the place of a deleted one')])
      await db.update('b', { id: 'r30', attrs: { body: 'river river haven' } })
      model.collection('b').docs.get('r30')!.attrs['body'] = 'river river haven'
      await db.deleteWhere('b', { kind: 'c' })
      for (const [id, { attrs }] of model.collection('b').docs)
        if (attrs['kind'] === 'c') model.collection('b').docs.delete(id)
      await db.close()
      await opens(name, model, r, true)
      const again = await open(name)
      await again.update('a', { id: 'r7', attrs: { title: 'glass' } })
      await again.update('b', { id: 'r7', attrs: { body: 'glass' } })
      expect(await count(again, POISON)).toBe(0)
      await again.close()
      const third = await open(name)
      expect(await count(third, POISON)).toBe(0)
      await third.close()
    })

    it('is written again after a compaction, and its documents get their new numbers', async () => {
      const [name, r] = [place.fresh(), random(3)]
      const model = await filled(name, r)
      const db = await open(name)
      // The order of the ids differs from that in which the documents were written.
      await put(db, model, 'a', [record(r, '0'), record(r, 'r1'), record(r, 'zz')])
      await db.compact()
      await check(db, model, r)
      expect(await count(db, MARK)).toBe(2)
      await db.close()
      await poison(name)
      await opens(name, model, r, true)
    })

    it('is not used for other settings, and for a collection that was made again', async () => {
      const [name, r] = [place.fresh(), random(4)]
      const model = await filled(name, r)
      const before = poisoned((await file.read(name))!)
      const db = await open(name)
      await db.setText('a', { title: { weight: 2 } })
      model.collection('a').text = { title: 2 }
      await db.dropCollection('b')
      model.all.delete('b')
      await db.createCollection('b', { text: { body: {} } })
      const again = [record(r, 'r7')]
      again[0]!.attrs = { body: MARK }
      await put(db, model, 'b', again)
      model.collection('b').text = { body: 1 }
      await check(db, model, r)
      await db.close()
      await file.write(name, before)
      await opens(name, model, r, false)
    })

    it('is not written by a close while documents are still to be read', async () => {
      const [name, r] = [place.fresh(), random(11)]
      const db = await open(name)
      const model = new TextModel()
      await db.createCollection('a', { text: { body: {} } })
      model.collection('a').text = { body: 1 }
      await put(
        db,
        model,
        'a',
        Array.from({ length: 2 * MANY }, (_, i) => record(r, `r${i}`)),
      )
      await count(db, 'river')
      await put(db, model, 'a', [record(r, 'r1'), record(r, 'new')])
      await db.close()
      const again = await open(name)
      for (let n = 0; n < 8; n++) await check(again, model, r)
      await again.close()
    })

    it('is removed with the last settings', async () => {
      const [name, r] = [place.fresh(), random(5)]
      await filled(name, r)
      const db = await open(name)
      await count(db, 'river')
      await db.setText('a', null)
      await db.setText('b', null)
      await db.close()
      expect(await file.read(name)).toBeUndefined()
    })

    it('is not used if it is half written, damaged or of another store', { timeout: 1_200_000 }, async () => {
      const [name, other, r] = [place.fresh(), place.fresh(), random(6)]
      const model = await filled(name, r)
      await filled(other, random(7))
      const whole = (await file.read(name))!
      const { parts, documents } = partsOf(whole)
      const hostile: Uint8Array[] = [poisoned((await file.read(other))!), new Uint8Array(0), new Uint8Array(64)]
      const halfWritten = poisoned(whole)
      const places = [4, 8, 15, 40, parts[0]!.from, parts[0]!.to - 2, parts[1]!.from + 9, whole.length - 1]
      const exchanged = halfWritten.slice()
      const rows = parts[0]!.from - 4 * documents
      exchanged.copyWithin(rows, rows + 4 * 30, rows + 4 * 31)
      exchanged.set(halfWritten.subarray(rows, rows + 4), rows + 4 * 30)
      hostile.push(exchanged)
      for (const at of places) hostile.push(halfWritten.slice(0, at))
      for (const at of places) hostile.push(halfWritten.map((byte, i) => (i < at || i > at + 512 ? byte : 0)))
      for (let n = 0; n < (EVERY_CASE ? 300 : 12); n++) {
        const flipped = whole.slice()
        flipped[r.int(n % 2 === 0 ? whole.length : parts[0]!.from + 80)]! ^= 1 << r.int(8)
        hostile.push(flipped)
      }
      for (const bytes of someOf(hostile, 3)) {
        await file.write(name, bytes.slice() as Uint8Array<ArrayBuffer>)
        await opens(name, model, r, false, 2)
      }
    })

    it('does no harm if somebody made it with right checksums', { timeout: 1_200_000 }, async () => {
      const [name, r] = [place.fresh(), random(8)]
      const model = await filled(name, r)
      const whole = (await file.read(name))!
      for (let n = 0; n < (EVERY_CASE ? 300 : 12); n++) {
        const made = whole.slice() as Uint8Array<ArrayBuffer>
        const part = partsOf(made).parts[r.int(2)]!
        for (let i = 0; i < 5; i++) made[part.from + 28 + r.int(part.to - part.from - 32)] = r.int(256)
        seal(made, part)
        await file.write(name, made)
        const db = await open(name)
        for (const text of ['river', 'stone cloud', 'r', 'zzm'])
          await db.search({ text }, { prefix: true, fuzzy: 'every', topK: 1000, facets: { kind: {} } })
        await put(db, model, 'a', [record(r, `more ${n}`)])
        await count(db, 'river')
        await db.close()
      }
    })

    if (file.all)
      it('goes with the store', async () => {
        const [name, r] = [place.fresh(), random(9)]
        await filled(name, r)
        const { storage } = place.options()
        await Nidus.destroy(name, storage === undefined ? {} : { storage })
        expect(await file.all!(name)).toEqual([])
      })

    it('that is of another program stays as it is', async () => {
      const [name, r] = [place.fresh(), random(10)]
      const foreign = new TextEncoder().encode('a list of words, one a line')
      const empty = await open(name)
      await empty.close()
      await file.write(name, foreign)
      const db = await open(name)
      await db.createCollection('a', { text: 'body' })
      await db.upsert(
        'a',
        Array.from({ length: 2 * MANY }, (_, i) => record(r, `r${i}`)),
      )
      await count(db, 'river')
      await db.close()
      expect(await file.read(name)).toEqual(foreign)
      await file.write(name, new Uint8Array(0))
    })
  })
}
