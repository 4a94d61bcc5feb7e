// A worker with a sharded store. A request names one of several clients, a method and its arguments. A client learns of
// a growth only by its own calls.
import { NidusError, NidusRouter, NidusShard, ShardedNidus } from 'nidus-wasm/sharded'

/** `broken`: the shards whose calls fail. `slow`: the longest delay of a call to any other shard, in milliseconds. */
const broken = new Set()
let slow = 0
let late = false
let silentRouter = false
/**
 * Faults by shard and method. `fail`: the call is not made. `lose`: its answer is lost. `hold`: it waits until the
 * fault ends. `late` and `keep`: it is made later, after its caller has an error. `pass`: it is only counted.
 */
const faults = new Map()
const clients = new Map()
/**
 * Returns a proxy like those of Vue's `reactive` and MobX's `observable`: objects that are read from it are proxies,
 * too, and functions are not.
 */
const deep = (target) =>
  new Proxy(target, {
    get(of, key, receiver) {
      const value = Reflect.get(of, key, receiver)
      return ['[object Object]', '[object Array]'].includes(Object.prototype.toString.call(value)) ? deep(value) : value
    },
  })
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

export class Router extends NidusRouter {
  get shards() {
    return this.env.SHARD
  }
  async layout(...args) {
    while (silentRouter) await sleep(5)
    return super.layout(...args)
  }
}

export class Shard extends NidusShard {
  get shards() {
    return this.env.SHARD
  }
  async call(whom, method, args) {
    if (broken.has(whom.index)) throw new Error('out of order')
    if (slow) await sleep(Math.random() * slow)
    if (method === 'deliver') {
      const { whom: of, method: what, args: all } = await this.ctx.storage.get('test-kept')
      return super.call(of, what, all)
    }
    if (method === 'abort') return this.ctx.abort('restarted')
    if (method === 'spoil') return void this.ctx.storage.sql.exec(args[0])
    const fault = faults.get(`${whom.name} ${whom.index} ${method}`)
    if (!fault) return super.call(whom, method, args)
    fault.met++
    // The message is stored until a test delivers it, even after a restart of this object.
    if (fault.kind === 'keep') {
      await this.ctx.storage.put('test-kept', { whom, method, args })
      throw new Error('given up')
    }
    if (fault.kind === 'late') {
      this.ctx.waitUntil(
        (async () => {
          while (!late) await sleep(5)
          await super.call(whom, method, args)
        })(),
      )
      throw new Error('given up')
    }
    if (fault.kind === 'fail') throw new Error('out of order')
    // It asks again and again, because an object may not wait for a promise of another request.
    while (fault.kind === 'hold' && faults.has(`${whom.name} ${whom.index} ${method}`)) await sleep(5)
    const answer = await super.call(whom, method, args)
    if (fault.kind === 'lose') throw new Error('the answer is lost')
    return answer
  }
}

const drive = {
  break: (...indices) => (broken.clear(), indices.forEach((index) => broken.add(index))),
  slow: (most) => void (slow = most),
  /** Without a kind, ends the fault. */
  fault: (store, index, method, kind) =>
    void (kind
      ? faults.set(`${store} ${index} ${method}`, { kind, met: 0 })
      : faults.delete(`${store} ${index} ${method}`)),
  late: () => void (late = true),
  router: (silent) => void (silentRouter = silent),
  met: (store, index, method) => faults.get(`${store} ${index} ${method}`)?.met ?? 0,
}

export default {
  async fetch(request, env) {
    const { client = 0, store = 'docs', method, args = [], options } = await request.json()
    if (Object.hasOwn(drive, method)) return Response.json({ ok: drive[method](...args) ?? null })
    if (method === 'deliver' || method === 'abort') {
      const shard = env.SHARD.get(env.SHARD.idFromName(`${store}/${args[0]}`))
      return Response.json({
        ok: (await shard.call({ name: store, index: args[0] }, method, []).catch(() => null)) ?? null,
      })
    }
    if (method === 'large') {
      const { records, size } = args[0]
      const text = 'x'.repeat(size)
      const db = new ShardedNidus({ router: env.ROUTER, shards: env.SHARD }, store, options)
      try {
        for (let n = 0; n < records; n++)
          await db.upsert('c', [
            {
              id: `${n}`,
              vector: Array.from({ length: options.dimension }, (_, i) => (i === n % options.dimension ? 1 : 0.1)),
              attrs: { n, text },
            },
          ])
        return Response.json({ ok: null })
      } catch (error) {
        return Response.json({ error: { code: error.code, message: error.message } })
      }
    }
    if (method === 'columns') {
      const [ids] = args
      const vectors = Float32Array.from({ length: ids.length * options.dimension }, (_, i) => 1 + (i % 5))
      const db = new ShardedNidus({ router: env.ROUTER, shards: env.SHARD }, store, options)
      return Response.json({ ok: await db.upsert('c', { ids, vectors }) })
    }
    if (method === 'spoil')
      return Response.json({
        ok:
          (await env.SHARD.get(env.SHARD.idFromName(`${store}/${args[0]}`)).call(
            { name: store, index: args[0] },
            'spoil',
            [args[1]],
          )) ?? null,
      })
    const key = `${store} ${client} ${options.timeout}`
    try {
      if (!clients.has(key)) {
        const client = new ShardedNidus({ router: env.ROUTER, shards: env.SHARD }, store, options)
        clients.set(key, store === 'proxied' ? deep(client) : client)
      }
      for (const options of args) {
        if (!options?.after) continue
        options.signal = AbortSignal.timeout(options.after)
        delete options.after
      }
      // Facets are a property of an array, and JSON leaves it out.
      if (method === 'asked') {
        const hits = await clients.get(key).search(...args)
        return Response.json({ ok: { hits, facets: hits.facets, explain: hits.explain } })
      }
      // JSON has no `undefined`. So `gone` names the attribute that is to be removed.
      if (method === 'changed')
        for (const { attrs } of args[1]) {
          attrs[attrs.gone] = undefined
          delete attrs.gone
        }
      const found = await clients.get(key)[method === 'changed' ? 'update' : method](...args)
      // Texts may be long, so only their lengths are sent back.
      return new Response(JSON.stringify({ ok: found }, (key, value) => (key === 'text' ? value.length : value)))
    } catch (error) {
      const { code, message, shards } = error
      const own = error instanceof NidusError ? {} : { notOurs: true }
      return Response.json({ error: { code, message: String(message ?? error), shards, ...own } })
    }
  },
}
