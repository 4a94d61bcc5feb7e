// Runs beside an engine, in a process or worker of its own: builds it, asks it, and measures the time. It is the same
// in Node and in a browser.
import { BUCKETS, inputOf } from './input.mjs'
import { TOP } from './measure.mjs'

/** All wasm memories of this thread, whoever made them. This measures memory in the same way for all engines. */
const memories = new Set()
{
  const keep = (instance) => {
    for (const value of Object.values(instance.exports))
      if (value instanceof WebAssembly.Memory) memories.add(new WeakRef(value))
    return instance
  }
  const Memory = WebAssembly.Memory
  WebAssembly.Memory = new Proxy(Memory, {
    construct(target, args, to) {
      const memory = Reflect.construct(target, args, to)
      memories.add(new WeakRef(memory))
      return memory
    },
  })
  WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
    construct: (target, args, to) => keep(Reflect.construct(target, args, to)),
  })
  for (const name of ['instantiate', 'instantiateStreaming']) {
    const plain = WebAssembly[name]
    WebAssembly[name] = async (...args) => {
      const made = await plain.apply(WebAssembly, args)
      keep(made.instance ?? made)
      return made
    }
  }
}
const wasmBytes = () => {
  // Memories that only wait to be collected must not count.
  globalThis.gc?.()
  const buffers = new Set([...memories].map((memory) => memory.deref()?.buffer).filter(Boolean))
  return [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0)
}

export const WANTED_BUCKET = 3 % BUCKETS

/**
 * `env`: { runtime, asset, locate, wall, read(name), heapBytes() or undefined, adapter(file, name), durable }. Returns
 * the calls that a channel makes, by name.
 */
export function engine(env) {
  let adapter, instance, input, queries, spec
  const heapBefore = env.heapBytes?.()
  const query = (which) => queries.subarray(which * spec.dimension, (which + 1) * spec.dimension)
  const prepared = (which) => instance.prepare?.(query(which)) ?? query(which)

  return {
    async open({ file, name, input: given }) {
      spec = given
      adapter = await env.adapter(file, name)
      if (spec.file) input = inputOf(spec, (await env.read(spec.file)).subarray(0, spec.rows * spec.dimension))
      else input = { ...inputOf(spec), store: spec.store }
      queries = await env.read(spec.queries)
      const { open: _, ...facts } = adapter
      return facts
    },

    /**
     * Builds an engine from rows in JavaScript's memory until it can be asked. The engine's own start (wasm, database)
     * is measured separately.
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

    /** Releases the rows: the engine has them now. */
    async release() {
      input = undefined
      return {
        wasm: instance.wasmBytes ? await instance.wasmBytes() : wasmBytes(),
        heap: env.heapBytes ? env.heapBytes() - heapBefore - queries.byteLength : undefined,
      }
    },

    /** Searches for the queries in the given order. Converting the query and reading the answer are not measured. */
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

    /** Waits until everything that is built after the inserts is built. */
    settle: () => settle(() => instance.search(prepared(0), TOP)),

    /** Searches for 32 queries in one call, if the engine has such a call. */
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

    /** Measures the modes that this package can be opened with, each beside the first one, in turns. */
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
        // Other workers take part in searches only once they have their codes, and nothing tells when. This time is
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

    /** Measures the time of each batch over the size of the store, and of a search at some sizes. */
    async curve({ marks, searches }) {
      await instance?.close()
      instance = await adapter.open(env)
      const appends = []
      const points = []
      await instance.build(input, async (rows, ms) => {
        appends.push([rows, ms])
        if (!marks.includes(rows)) return
        const settled = await settle(() => instance.search(prepared(points.length), TOP))
        const times = []
        for (let n = 0; n < searches + 15; n++) {
          const asked = prepared(n % (queries.length / spec.dimension))
          const began = performance.now()
          await instance.search(asked, TOP)
          if (n >= 15) times.push(performance.now() - began)
        }
        points.push({ rows, times, settled })
      })
      return { appends, points }
    },

    ...(env.durable && { durable: (args) => env.durable(args, { input, queries, query, spec }) }),

    async close() {
      await instance?.close()
      instance = input = undefined
    },
  }
}

/**
 * Searches until searches get no faster. Everything behind an open or an insert is built once five searches take no
 * longer than 1.15 times those at the end. Nothing tells from outside when that is, so the moment is found by looking
 * back.
 */
export async function settle(search, { least = 300, most = 20_000 } = {}) {
  const began = performance.now()
  const seen = []
  const low = (list) => Math.min(...list.map(([, ms]) => ms))
  for (;;) {
    const at = performance.now()
    await search()
    const ended = performance.now()
    seen.push([ended - began, ended - at])
    // The event loop needs a turn, or nothing would ever be built.
    await new Promise((resolve) => setTimeout(resolve, 5))
    const time = performance.now() - began
    const recent = seen.filter(([when]) => when > time - least)
    const before = seen.filter(([when]) => when <= time - least && when > time - 2 * least)
    const quiet = before.length > 2 && recent.length > 2 && low(before) < low(recent) * 1.15
    if ((quiet && time > 2 * least) || time > most) break
  }
  const end = low(seen.slice(-Math.max(3, seen.length >> 2)))
  const index = seen.findIndex((_, i) => low(seen.slice(i, i + 5)) <= end * 1.15)
  return {
    first: seen[0][1],
    ms: index <= 0 ? 0 : seen[index][0],
    slowest: Math.max(...seen.map(([, ms]) => ms)),
    p50: end,
  }
}
