// An object whose methods are called over RPC, and a caller that reports their errors.
import { DurableObject } from 'cloudflare:workers'
import { Nidus } from 'nidus-wasm'
import { codeOf, durableObject } from 'nidus-wasm/durable-object'
import { NidusRouter, NidusShard, ShardedNidus } from 'nidus-wasm/sharded'

export class Router extends NidusRouter {
  get shards() {
    return this.env.SHARD
  }
}
export class Shard extends NidusShard {
  get shards() {
    return this.env.SHARD
  }
}

export class Store extends DurableObject {
  db = Nidus.open('notes', { dimension: 3, storage: durableObject(this.ctx.storage) })

  async upsert(records) {
    return (await this.db).upsert('docs', records)
  }
  async search(query, options) {
    return (await this.db).search(query, options)
  }
  async locked() {
    await this.db
    await Nidus.open('notes', { dimension: 3, storage: durableObject(this.ctx.storage) })
  }
  async sharded(query) {
    return new ShardedNidus({ router: this.env.ROUTER, shards: this.env.SHARD }, 'docs', { dimension: 3 }).search(query)
  }
  none() {
    throw new TypeError("INVALID_ARGUMENT: this is somebody else's")
  }
}

export default {
  async fetch(request, env) {
    const [method, ...args] = await request.json()
    try {
      return Response.json({ ok: await env.STORE.get(env.STORE.idFromName('all'))[method](...args) })
    } catch (error) {
      return Response.json({
        code: codeOf(error) ?? null,
        name: error.name,
        own: error.code ?? null,
        message: error.message,
      })
    }
  },
}
