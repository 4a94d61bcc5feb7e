import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Nidus, NidusError } from 'nidus-wasm'
import { temporaryFolder } from '../common/folder'
import { EVERY_CASE } from '../common/model'

const root = temporaryFolder('damage')
const D = 2
const name = join(root, 'store')

/** Makes a store in steps. Returns its files, and its content after each step. */
async function build() {
  const db = await Nidus.open(name, { dimension: D })
  const states: string[] = [await state(db)]
  const steps = [
    () => db.createCollection('c'),
    () =>
      db.upsert('c', [
        { id: 'a', vector: [1, 0], attrs: { s: 'x', n: 1, l: ['q'], f: 0.5, d: new Date(5) } },
        { id: 'b', vector: [0, 1] },
      ]),
    () => db.setMeta('c', { k: 'v' }),
    () => db.upsert('c', [{ id: 'a', vector: [1, 1] }]),
    () => db.delete('c', ['b']),
    () => db.createCollection('d'),
    () => db.dropCollection('d'),
  ]
  for (const step of steps) {
    await step()
    states.push(await state(db))
  }
  await db.close()
  return { states, data: readFileSync(join(name, 'data')), log: readFileSync(join(name, 'log')) }
}

async function state(db: Nidus) {
  const collections: unknown[] = []
  for (const collection of await db.collections()) {
    const records: unknown[] = []
    for await (const { id, vector, attrs } of db.records(collection)) records.push([id, [...vector], attrs])
    collections.push([collection, await db.getMeta(collection), records])
  }
  return JSON.stringify(collections)
}

function put(data: Uint8Array, log: Uint8Array) {
  rmSync(name, { recursive: true, force: true })
  mkdirSync(name)
  writeFileSync(join(name, 'data'), data)
  writeFileSync(join(name, 'log'), log)
}

/**
 * Opens the store, first read-only. Returns its state or the error's code. Checks that a refusal leaves the bytes
 * unchanged, and that a cut is reported.
 */
async function outcome(
  data: Uint8Array,
  log: Uint8Array,
  what: string,
): Promise<{ code: string } | { state: string; frames: number; bytes: number; created: boolean }> {
  put(data, log)
  const results: string[] = []
  for (const readOnly of [true, false]) {
    try {
      const db = await Nidus.open(name, { dimension: D, readOnly, autoCompact: false })
      const { bytes, frames, logBytes, created } = db.recovery
      const found = await state(db)
      await db.search([1, 0.5])
      await db.close()
      results.push(found)
      if (readOnly) continue
      if (!created) expect(readFileSync(join(name, 'log')).length, what).toBe(log.length - logBytes)
      expect(results[0] === found || created, what).toBe(true)
      return { state: found, frames, bytes, created }
    } catch (error) {
      if (!(error instanceof NidusError)) throw error
      expect(error.code, `${what}: ${error.message}`).toMatch(
        /^(CORRUPT|UNSUPPORTED_VERSION|DIMENSION_MISMATCH|NOT_FOUND)$/,
      )
      if (readOnly) results.push(error.code)
      else {
        expect(readFileSync(join(name, 'data')).equals(data) && readFileSync(join(name, 'log')).equals(log), what).toBe(
          true,
        )
        expect(readdirSync(name).sort(), what).toEqual(['data', 'log'])
        return { code: error.code }
      }
    }
  }
  throw new Error('unreachable')
}

/** `npm run test:long` tries every byte, cut and bit, and `npm test` some of them. */
const STEP = EVERY_CASE ? 1 : 3

describe('a small store, damaged at every byte', async () => {
  const { states, data, log } = await build()
  const final = states.at(-1)!

  it('opens when nothing is damaged', async () => {
    expect(await outcome(data, log, 'whole')).toEqual({ state: final, frames: 0, bytes: 0, created: false })
  })

  it('has an earlier state when the log is cut anywhere, never part of a frame', async () => {
    for (let at = 0; at < log.length; at += at < 64 ? 1 : STEP) {
      const result = await outcome(data, log.subarray(0, at), `log cut at ${at}`)
      // A cut may also be within a run, between its frames. No crash does that, but the frames before the cut are still
      // read.
      expect('state' in result, `log cut at ${at}: ${JSON.stringify(result)}`).toBe(true)
    }
  })

  it('is refused when any one bit of the log is flipped, or only its last frame is cut and reported', async () => {
    const lastFrame = lastFrameStart(log)
    let cut = 0
    for (let at = 0; at < log.length; at++) {
      for (const bit of EVERY_CASE ? [0, 3, 7] : [[0, 3, 7][at % 3]!]) {
        const flipped = Uint8Array.from(log)
        flipped[at]! ^= 1 << bit
        const what = `bit ${bit} of log byte ${at}`
        const result = await outcome(data, flipped, what)
        if (at >= lastFrame && 'state' in result) {
          expect(result, what).toMatchObject({ bytes: log.length - lastFrame, frames: 1 })
          cut++
        } else expect('code' in result ? result.code : result, what).toMatch(/^(CORRUPT|UNSUPPORTED_VERSION)$/)
      }
    }
    expect(cut).toBeGreaterThan(10)
  })

  it('is refused when the data is cut anywhere, since the log names rows that are gone', async () => {
    for (let at = 0; at < data.length; at += at < 64 ? 1 : STEP)
      expect(await outcome(data.subarray(0, at), log, `data cut at ${at}`)).toEqual({ code: 'CORRUPT' })
  })

  it("is refused when any one bit of the data's header is flipped, or the bit does not matter", async () => {
    for (let at = 0; at < 64; at++) {
      for (let bit = at % STEP; bit < 8; bit += STEP) {
        const flipped = Uint8Array.from(data)
        flipped[at]! ^= 1 << bit
        const result = await outcome(flipped, log, `bit ${bit} of data byte ${at}`)
        if ('state' in result) expect(result.state).toBe(final)
      }
    }
  })

  it('opens when any one bit of a row is flipped, as native does: rows have no checksum', async () => {
    for (let at = 64; at < data.length; at += STEP) {
      const flipped = Uint8Array.from(data)
      flipped[at]! ^= 1
      expect('state' in (await outcome(flipped, log, `data byte ${at}`))).toBe(true)
    }
  })

  it('has zeros, random bytes or a partial row at the end cut, and reports it', async () => {
    for (const tail of [1, 7, 8, 9, 16, 511, 4096]) {
      expect(await outcome(data, Buffer.concat([log, Buffer.alloc(tail)]), `${tail} zeros`)).toMatchObject({
        state: final,
        bytes: tail,
      })
      expect(await outcome(Buffer.concat([data, Buffer.alloc(tail % (D * 4), 7)]), log, 'data tail')).toMatchObject({
        state: final,
        bytes: tail % (D * 4),
      })
      expect(await outcome(data, Buffer.concat([log, Buffer.alloc(tail, 0xff)]), `${tail} ff`)).toMatchObject({
        state: final,
        bytes: tail,
      })
    }
  })

  it('is created again when its creation was unfinished, but never if there is a log', async () => {
    for (const size of [0, 1, 63])
      expect(await outcome(data.subarray(0, size), Buffer.alloc(0), `data of ${size}`)).toMatchObject({
        state: '[]',
        created: true,
      })
    expect(await outcome(Buffer.alloc(64), Buffer.alloc(0), 'zeros')).toMatchObject({ created: true })
    expect(await outcome(Buffer.alloc(64), log, 'zeros')).toEqual({ code: 'CORRUPT' })
  })
})

function lastFrameStart(log: Uint8Array) {
  const view = new DataView(log.buffer, log.byteOffset, log.byteLength)
  let last = 0
  for (let at = 0; at < log.length; at += 8 + view.getUint32(at, true)) last = at
  return last
}
