// Runs in the same process or worker as one peer: fills it, asks it, and measures the time. This file is the same in
// Node and in a browser.
import { BUCKETS, inputOf } from '../data/rows.mjs'
import { TOP } from '../data/truth.mjs'
import { rowsFor } from './rows.mjs'
import { coded, settle } from './settle.mjs'
import { wasmBytes } from './wasm-memory.mjs'

export const WANTED_BUCKET = 3 % BUCKETS

/**
 * Returns the calls that the benchmark makes, by name. `env` has what differs by runtime: { runtime, asset, locate,
 * dist(name), wall, read(name), heapBytes() or undefined, adapter(file, name), busy() or undefined, durable,
 * opening }.
 */
export function callsOf(env) {
  let adapter, instance, input, queries, spec
  const heapBefore = env.heapBytes?.()
  const query = (which) => queries.subarray(which * spec.dimension, (which + 1) * spec.dimension)
  const prepared = (which) => instance.prepare?.(query(which)) ?? query(which)
  const allCodes = (rows) => coded(instance, rows, () => instance.search(prepared(0), TOP), env.busy)

  return {
    async open({ file, name, input: given }) {
      spec = given
      adapter = await env.adapter(file, name)
      input = { ...inputOf(spec, await rowsFor(spec, env.read)), store: spec.store }
      queries = await env.read(spec.queries)
      const { open: _, ...facts } = adapter
      return facts
    },

    /**
     * Starts a peer and fills it from rows in JavaScript's memory, until it can be asked. The time of the start (its
     * wasm, its database) is measured separately.
     */
    async build() {
      await instance?.close()
      const began = performance.now()
      instance = await adapter.open(env)
      const started = performance.now()
      const taken = await instance.build(input)
      const built = performance.now()
      const asked = prepared(0)
      const asking = performance.now()
      await instance.search(asked, TOP)
      return { start: started - began, build: taken ?? built - started, first: performance.now() - asking }
    },

    /** Releases the rows, which the peer has now, and returns how much memory is in use. */
    async release() {
      input = undefined
      return {
        wasm: instance.wasmBytes ? await instance.wasmBytes() : wasmBytes(),
        heap: env.heapBytes ? env.heapBytes() - heapBefore - queries.byteLength : undefined,
      }
    },

    /**
     * Searches for the queries in the given order. The time to convert a query and to read an answer does not
     * count.
     */
    async search({ order, knob, filtered, k = TOP }) {
      if (knob !== undefined) await instance.set(knob)
      const bucket = filtered ? WANTED_BUCKET : undefined
      const times = []
      const answers = []
      for (const which of order) {
        const asked = prepared(which)
        const began = performance.now()
        const found = await instance.search(asked, k, bucket)
        times.push(performance.now() - began)
        answers.push({ which, rows: instance.rowsOf(found), scores: instance.scoresOf?.(found) })
      }
      return { times, answers }
    },

    /** Waits until the work in the background that follows inserts is done. */
    settle: () => settle(() => instance.search(prepared(0), TOP)),

    /** Waits until all codes are made. Returns how many rows have some. */
    coded: () => allCodes(spec.rows),

    /**
     * Closes a store and opens it again. Searches at once for one query, before codes are made. `coded` is the number
     * of rows that have codes after that search.
     */
    async reopened({ which, k = TOP }) {
      const began = performance.now()
      await instance.reopen()
      const opened = performance.now()
      const found = await instance.search(prepared(which), k)
      const ended = performance.now()
      const codes = await instance.codedRows()
      const answer = { which, rows: instance.rowsOf(found), scores: instance.scoresOf(found) }
      return { open: opened - began, first: ended - opened, coded: codes, answer }
    },

    /** Returns for each of some rows of the store the score of the row that is nearest to it, apart from itself. */
    async nearest({ rows }) {
      const scores = []
      for (const { row, vector } of rows) {
        const found = await instance.search(Float32Array.from(vector), 2)
        const other = instance.rowsOf(found).findIndex((one) => one !== row)
        scores.push(instance.scoresOf(found)[other])
      }
      return scores
    },

    /** Searches for several queries in one call, if the peer has such a call. */
    async many({ order, k = TOP }) {
      if (!instance.searchMany) return undefined
      const asked = order.map(query)
      const began = performance.now()
      const found = await instance.searchMany(asked, k)
      return {
        time: performance.now() - began,
        answers: found.map((hits, i) => ({
          which: order[i],
          rows: instance.rowsOf(hits),
          scores: instance.scoresOf?.(hits),
        })),
      }
    },

    /** Opens a store in each of several modes, and searches them in turns. */
    async modes({ modes, rounds }) {
      await instance?.close()
      instance = undefined
      const found = []
      for (const mode of modes) {
        const one = await adapter.open(env)
        await one.build({
          ...input,
          records: (from, to) => input.records(from, to),
          name: `${spec.name}-${found.length}`,
          store: { ...mode },
        })
        // Search workers take part only once they have their codes, and nothing announces when they do. This time is
        // enough for 100,000 rows.
        const settled = await settle(() => one.search(query(0), TOP), { least: mode.workers ? 4000 : 800 })
        found.push({ one, mode, settled, times: [], together: [], wasm: await one.wasmBytes() })
      }
      const count = queries.length / spec.dimension
      for (let round = 0; round < rounds; round++) {
        for (const { one, times, together } of found) {
          for (let n = 0; n < count; n++) {
            const asked = query(n)
            const began = performance.now()
            await one.search(asked, TOP)
            if (n >= 10) times.push(performance.now() - began)
          }
          const many = Array.from({ length: 32 }, (_, i) => query(i % count))
          const began = performance.now()
          await one.searchMany(many, TOP)
          together.push((performance.now() - began) / 32)
        }
      }
      for (const { one } of found) await one.close()
      return found.map(({ one: _, ...rest }) => rest)
    },

    /** Measures the time of each batch while the store grows, and of searches and the memory at some sizes. */
    async curve({ marks, searches }) {
      await instance?.close()
      instance = await adapter.open(env)
      const appends = []
      const points = []
      await instance.build({ ...input, marks }, async (rows, ms) => {
        appends.push([rows, ms])
        if (!marks.includes(rows)) return
        const settled = await settle(() => instance.search(prepared(points.length), TOP))
        await allCodes(rows)
        const times = []
        for (let n = 0; n < searches + 15; n++) {
          const asked = prepared(n % (queries.length / spec.dimension))
          const began = performance.now()
          await instance.search(asked, TOP)
          if (n >= 15) times.push(performance.now() - began)
        }
        points.push({ rows, times, settled, wasm: await instance.wasmBytes() })
      })
      return { appends, points }
    },

    ...(env.durable && { durable: (args) => env.durable(args, { input, queries, query, spec }) }),
    ...(env.opening && { opening: (args) => env.opening(args, { input, query }) }),

    async close() {
      await instance?.close()
      instance = input = undefined
    },
  }
}
