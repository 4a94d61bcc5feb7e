import { describe, expect, it } from 'vitest'
import { Nidus, type ImportOptions, type NidusError, type OpenOptions } from 'nidus-wasm'
import { codeOf, type Place } from './api'
import { random, someOf } from './model'
import { joined, stream, tar, untar } from './tar'

const D = 8
const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
export const exported = async (db: Nidus) => new Uint8Array(await new Response(db.export()).arrayBuffer())
/** Returns whether the bytes are equal. `expect` would print all of a difference of megabytes. */
export const same = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((byte, i) => byte === b[i])

/** Fills a store with about `size` records, dead rows, metadata and several collections. */
export async function fill(db: Nidus, size: number, seed = 1) {
  const r = random(seed)
  const batch = (n: number) =>
    Array.from({ length: n }, () => ({
      id: `id ${r.int(size)}`,
      vector: r.vector(db.dimension),
      attrs: { n: r.int(9), text: 'ü'.repeat(r.int(60)) },
    }))
  await db.setMeta('c', { model: 'm', seed: `${seed}` })
  for (let i = 0; i < 3; i++) await db.upsert('c', batch(size))
  await db.upsert('other', batch(Math.ceil(size / 10)))
  await db.delete('c', ['id 1', 'id 2'])
}

/** Tests that a kind of storage exports and imports every byte, and imports all of a store or nothing. */
export function transferSuite(
  kind: string,
  place: Place,
  {
    gone = async (_name: string) => {},
    locks = true,
  }: { gone?: (name: string) => Promise<void>; locks?: boolean } = {},
) {
  /**
   * Returns what opens and imports a new store. A user's host has no names, so there the options say which store it is.
   */
  const fresh = () => {
    const name = place.fresh()
    const options = place.options()
    const checkGone = async () => {
      await gone(name)
      if (place.again) expect(await codeOf(() => Nidus.open(name, options))).toBe('INVALID_ARGUMENT')
    }
    return {
      name,
      checkGone,
      open: (more: OpenOptions = {}) =>
        Nidus.open(name, { dimension: D, autoCompact: false, ...options, ...more } as OpenOptions),
      import: (source: unknown, more: ImportOptions = {}) =>
        Nidus.import(name, source as never, { ...options, ...more } as ImportOptions),
    }
  }
  const sample = async (size = 300, seed = 1) => {
    const db = await fresh().open()
    await fill(db, size, seed)
    const bytes = await exported(db)
    const search = await db.search(new Float32Array(D).fill(1), { topK: 50 })
    await db.close()
    return { bytes, search, ...untar(bytes) }
  }

  describe(`export and import, ${kind}`, () => {
    it('gives the same bytes from every source, and the same store', async () => {
      const { bytes, data, log, search } = await sample()
      expect(new TextDecoder().decode(data.subarray(0, 5))).toBe('NIDUS')
      const sources: [string, () => unknown][] = [
        ['bytes', () => bytes],
        ['a buffer', () => bytes.slice().buffer],
        ['a Blob', () => new Blob([bytes as Uint8Array<ArrayBuffer>])],
        ['a Response', () => new Response(bytes as Uint8Array<ArrayBuffer>)],
        ['a stream', () => stream(bytes)],
        [
          'a generator',
          async function* () {
            for (let at = 0; at < bytes.length; at += 5000) yield bytes.slice(at, at + 5000)
          },
        ],
        ['two', () => ({ data: stream(data), log })],
        [
          'the log first',
          () =>
            tar([
              { name: 'dir/log', bytes: log },
              { name: 'manifest', bytes: new Uint8Array(700) },
              { name: 'dir/data', bytes: data },
            ]),
        ],
      ]
      for (const [what, make] of kind === 'memory' ? sources : someOf(sources, 2)) {
        const source = make()
        const at = fresh()
        let db = await at.import(typeof source === 'function' ? (source as () => unknown)() : source, { dimension: D })
        expect(db.recovery, what).toEqual({
          bytes: 0,
          frames: 0,
          logBytes: 0,
          dataBytes: 0,
          created: false,
          compacted: false,
        })
        expect([db.name, db.dimension]).toEqual([at.name, D])
        expect(await db.search(new Float32Array(D).fill(1), { topK: 50 })).toEqual(search)
        expect(same(await exported(db), bytes), what).toBe(true)
        await db.upsert('new', [{ id: 'x', vector: new Float32Array(D).fill(1) }])
        expect(same(untar(await exported(db)).data.subarray(0, data.length), data)).toBe(true)
        await db.close()
        if (!place.again) continue
        db = await at.open()
        expect(await db.count('new')).toBe(1)
        await db.close()
      }
    })

    it('exports one state, whatever is written during the export, and an empty store', async () => {
      const at = fresh()
      const db = await at.open()
      const empty = untar(await exported(db))
      expect([empty.data.length, empty.log.length]).toEqual([64, 0])
      const vectors = Float32Array.from({ length: 60_000 * D }, (_, i) => Math.sin(i))
      await db.upsert('c', { ids: Array.from({ length: 60_000 }, (_, i) => `${i}`), vectors })
      const before = await exported(db)
      const reader = db.export().getReader()
      const parts: Uint8Array[] = []
      for (let i = 0; ; i++) {
        const writing = db.upsert('d', [{ id: `${i}`, vector: new Float32Array(D).fill(1) }])
        const { done, value } = await reader.read()
        await writing
        if (done) break
        expect(value.length).toBeLessThanOrEqual(1024 * 1024)
        parts.push(value)
      }
      expect(parts.length).toBeGreaterThan(6)
      expect(same(joined(parts), before)).toBe(true)
      await db.close()
      const copy = await fresh().import(before)
      expect(await copy.collections()).toEqual(['c'])
      await copy.close()
      const none = await fresh().import(
        tar([
          { name: './data', bytes: empty.data },
          { name: './log', bytes: empty.log },
        ]),
      )
      expect(await none.collections()).toEqual([])
      await none.close()
    })

    it('delays only a compaction', async () => {
      const db = await fresh().open()
      await fill(db, 100)
      const before = await exported(db)
      for (const end of ['read', 'cancelled']) {
        const open = db.export()
        let compacted = false
        const compacting = db.compact().then(() => (compacted = true))
        await db.upsert('more', [{ id: end, vector: new Float32Array(D).fill(1) }])
        await later(150)
        expect(compacted).toBe(false)
        if (end === 'read') expect(same(new Uint8Array(await new Response(open).arrayBuffer()), before)).toBe(true)
        else await open.cancel()
        await compacting
        expect((await db.footprint()).deadRows).toBe(0)
        expect(await db.count('more')).toBe(end === 'read' ? 1 : 2)
      }
      const other = db.export()
      const waiting = codeOf(() => db.compact())
      await db.count()
      const closing = db.close()
      const reader = other.getReader()
      expect(
        await codeOf(async () => {
          while (!(await reader.read()).done);
        }),
      ).toBe('CLOSED')
      expect(['CLOSED', 'nothing thrown']).toContain(await waiting)
      await closing
      expect(await codeOf(() => db.export().getReader().read())).toBe('CLOSED')
    })

    it('refuses a tar that is damaged, cut off or something else, and leaves nothing behind', async () => {
      const { bytes, data, log } = await sample(50)
      const flipped = (of: Uint8Array, at: number) => of.map((byte, i) => (i === at ? byte ^ 0x55 : byte))
      const both = (data: Uint8Array, log: Uint8Array) =>
        tar([
          { name: 'data', bytes: data },
          { name: 'log', bytes: log },
        ])
      const bad: [string, unknown, string][] = [
        ['cut within data', bytes.slice(0, 900), 'CORRUPT'],
        ['cut within the log', bytes.slice(0, bytes.length - 1024 - 700), 'CORRUPT'],
        ['cut between the two', bytes.slice(0, 512 + Math.ceil(data.length / 512) * 512), 'CORRUPT'],
        ['cut within a header', bytes.slice(0, 512 + Math.ceil(data.length / 512) * 512 + 100), 'CORRUPT'],
        [
          'cut within whole blocks of the log',
          tar(
            [
              { name: 'data', bytes: data },
              { name: 'log', bytes: log, size: Math.ceil(log.length / 512) * 512 + 512 },
            ],
            false,
          ),
          'CORRUPT',
        ],
        ['a damaged second header', flipped(bytes, 512 + Math.ceil(data.length / 512) * 512 + 1), 'CORRUPT'],
        ['a damaged frame', both(data, flipped(log, 40)), 'CORRUPT'],
        ['rows are missing', both(data.slice(0, 64 + 4 * D), log), 'CORRUPT'],
        ['data that is something else', both(flipped(data, 1), log), 'CORRUPT'],
        ['data without a header', both(new Uint8Array(64), new Uint8Array(0)), 'INVALID_ARGUMENT'],
        ['two empty files', both(new Uint8Array(0), new Uint8Array(0)), 'INVALID_ARGUMENT'],
        [
          'a later version',
          both(
            data.map((byte, i) => (i === 6 ? 9 : byte)),
            log,
          ),
          'UNSUPPORTED_VERSION',
        ],
        ['nothing', new Uint8Array(0), 'INVALID_ARGUMENT'],
        ['no tar', new Uint8Array(3000).fill(65), 'INVALID_ARGUMENT'],
        ['gzip', Uint8Array.from({ length: 600 }, (_, i) => [0x1f, 0x8b][i] ?? i), 'INVALID_ARGUMENT'],
        ['an empty tar', tar([]), 'INVALID_ARGUMENT'],
        ['no log', tar([{ name: 'data', bytes: data }]), 'INVALID_ARGUMENT'],
        [
          'two files of one name',
          tar([
            { name: 'a/data', bytes: data },
            { name: 'b/data', bytes: data },
          ]),
          'INVALID_ARGUMENT',
        ],
        [
          'a link',
          tar([
            { name: 'data', bytes: new Uint8Array(0), type: '2' },
            { name: 'log', bytes: log },
          ]),
          'INVALID_ARGUMENT',
        ],
        ['a number', 7, 'INVALID_ARGUMENT'],
        ['nothing at all', undefined, 'INVALID_ARGUMENT'],
        ['data without a log', { data }, 'INVALID_ARGUMENT'],
        ['texts', stream('x' as never), 'INVALID_ARGUMENT'],
        ['an answer', new Response('none', { status: 404 }), 'INVALID_ARGUMENT'],
        ['a source that fails', stream(bytes.slice(0, 5000), 997, { error: new Error('the line is dead') }), 'FAILED'],
      ]
      // All of them are tried in memory. For other kinds, it matters how far an import came before it failed, because
      // the host must remove that.
      const late = ([what]: (typeof bad)[number]) => ['cut within the log', 'a source that fails'].includes(what)
      for (const [what, source, code] of kind === 'memory' ? bad : someOf(bad, 5, late)) {
        const at = fresh()
        expect(await codeOf(() => at.import(source)), what).toBe(code)
        await at.checkGone()
      }
      const at = fresh()
      expect(await codeOf(() => at.import(bytes, { dimension: D + 1 }))).toBe('DIMENSION_MISMATCH')
      expect(await codeOf(() => at.import(both(new Uint8Array(64), new Uint8Array(0)), { dimension: D }))).toBe(
        'INVALID_ARGUMENT',
      )
      expect(await codeOf(() => at.import(bytes, { maxVectorBytes: 100 }))).toBe('CAPACITY')
      expect(await codeOf(() => at.import(bytes, { readOnly: true }))).toBe('INVALID_ARGUMENT')
      expect(await codeOf(() => at.import(bytes, { replace: 1 as never }))).toBe('INVALID_ARGUMENT')
      const dead = stream(bytes.slice(0, 5000), 997, { error: new Error('the line is dead') })
      await expect(at.import(dead)).rejects.toMatchObject({ code: 'FAILED', cause: { message: 'the line is dead' } })
      const locked = new ReadableStream()
      locked.getReader()
      expect(await codeOf(() => at.import(locked))).toBe('INVALID_ARGUMENT')
      await at.checkGone()
    })

    it('cuts what an opening would cut, and reports it', async () => {
      const { data, log } = await sample(50)
      const halfWritten = joined([log, log.subarray(0, 13)])
      const db = await fresh().import({ data: joined([data, new Uint8Array(7)]), log: halfWritten })
      expect(db.recovery).toMatchObject({ bytes: 20, frames: 1, logBytes: 13, dataBytes: 7, compacted: false })
      const cut = untar(await exported(db))
      expect([same(cut.data, data), same(cut.log, log)]).toEqual([true, true])
      await db.close()
    })

    it('reports its progress, and stops when its signal is aborted', async () => {
      const { bytes } = await sample(2000)
      const seen: [number, number | undefined][] = []
      const onProgress = (done: number, total: number | undefined) => void seen.push([done, total])
      await (await fresh().import(bytes, { onProgress })).close()
      await expect.poll(() => seen.at(-1)).toEqual([bytes.length, bytes.length])
      expect(seen.length).toBeGreaterThan(1)
      expect(seen.filter(([done, total]) => done === total)).toHaveLength(1)
      expect(seen.map(([done]) => done)).toEqual(seen.map(([done]) => done).sort((a, b) => a - b))
      seen.length = 0
      await (await fresh().import(stream(bytes), { onProgress })).close()
      await expect.poll(() => typeof seen.at(-1)?.[1]).toBe('number')
      expect(seen.slice(0, -1).every(([, total]) => total === undefined)).toBe(true)
      expect(seen.at(-1)![0]).toBe(seen.at(-1)![1])

      const at = fresh()
      const before = stream(bytes)
      expect(await codeOf(() => at.import(before, { signal: AbortSignal.abort() }))).toBe('ABORTED')
      const abort = new AbortController()
      const hanging = stream(bytes.slice(0, 60_000), 997, { hang: true })
      const importing = at.import(hanging, { signal: abort.signal })
      await later(50)
      abort.abort(new Error('mine'))
      await expect(importing).rejects.toMatchObject({ code: 'ABORTED', cause: { message: 'mine' } })
      await at.checkGone()
      expect(await codeOf(() => at.import(bytes, { signal: 1 as never }))).toBe('INVALID_ARGUMENT')
      await (await at.import(bytes)).close()
    })

    if (!place.again) return

    it('replaces a store only on request, and then wholly or not at all', async () => {
      const [one, two] = [await sample(60, 1), await sample(90, 2)]
      const at = fresh()
      await (await at.import(one.bytes)).close()
      expect(await codeOf(() => at.import(two.bytes))).toBe('ALREADY_EXISTS')
      const holds = async (bytes: Uint8Array) => {
        const db = await at.open({ readOnly: true })
        expect(db.recovery.bytes).toBe(0)
        expect(same(await exported(db), bytes)).toBe(true)
        await db.close()
      }
      await holds(one.bytes)
      expect(await codeOf(() => at.import(two.bytes.slice(0, 3000), { replace: true }))).toBe('CORRUPT')
      expect(await codeOf(() => at.import(two.bytes, { replace: true, dimension: D + 1 }))).toBe('DIMENSION_MISMATCH')
      const abort = new AbortController()
      const importing = at.import(stream(two.bytes.slice(0, 9000), 997, { hang: true }), {
        replace: true,
        signal: abort.signal,
      })
      await later(50)
      abort.abort()
      expect(await codeOf(() => importing)).toBe('ABORTED')
      await holds(one.bytes)
      if (locks) {
        const open = await at.open()
        expect(await codeOf(() => at.import(two.bytes, { replace: true }))).toBe('LOCKED')
        expect(await open.count()).toBeGreaterThan(0)
        await open.close()
      }
      const db = await at.import(two.bytes, { replace: true })
      expect(same(await exported(db), two.bytes)).toBe(true)
      await db.upsert('c', [{ id: 'after', vector: new Float32Array(D).fill(1) }])
      await db.compact()
      const after = await exported(db)
      await db.close()
      await holds(after)
    })

    it('exports acknowledged writes of a relaxed store, and reports the reason of a signal', async () => {
      const db = await fresh().open({ durability: 'relaxed' })
      await Promise.all(
        Array.from({ length: 30 }, (_, i) => db.upsert('c', [{ id: `${i}`, vector: new Float32Array(D).fill(i) }])),
      )
      const bytes = await exported(db)
      await db.close()
      const copy = await fresh().import(bytes, { durability: 'relaxed' })
      expect(await copy.count()).toBe(30)
      await copy.upsert('c', [{ id: 'x', vector: new Float32Array(D) }])
      await copy.close()
      const error = await fresh()
        .import(bytes, { signal: AbortSignal.abort('why') })
        .catch((error: NidusError) => error)
      expect(error).toMatchObject({ code: 'ABORTED', cause: 'why' })
    })
  })
}
