// A worker whose store is spread over objects, driven by requests: what to call, on which of several clients, which know of a growth only when they are told.
import { NidusRouter, NidusShard, ShardedNidus } from 'nidus-wasm/sharded'

/** Shards that are out of order, or slow (up to so many milliseconds). */
const broken = new Set()
let slow = 0
const clients = new Map()

export class Router extends NidusRouter {
  get shards() {
    return this.env.SHARD
  }
}

export class Shard extends NidusShard {
  get shards() {
    return this.env.SHARD
  }
  async call(whom, method, args) {
    if (broken.has(whom.index)) throw new Error('out of order')
    if (slow) await new Promise((resolve) => setTimeout(resolve, Math.random() * slow))
    return super.call(whom, method, args)
  }
}

export default {
  async fetch(request, env) {
    const { client = 0, store = 'docs', method, args = [], options } = await request.json()
    if (method === 'break') return (broken.clear(), args.forEach((index) => broken.add(index)), Response.json({ ok: null }))
    if (method === 'slow') return ((slow = args[0]), Response.json({ ok: null }))
    const key = `${store} ${client}`
    if (!clients.has(key)) clients.set(key, new ShardedNidus({ router: env.ROUTER, shards: env.SHARD }, store, options))
    try {
      const found = await clients.get(key)[method](...args)
      return Response.json({ ok: found }, {})
    } catch (error) {
      return Response.json({ error: { code: error.code, message: String(error.message ?? error), shards: error.shards } })
    }
  },
}
