// The worker of worker.mjs with a call that makes rows. Sending a million rows would take longer than writing them.
import worker, { Router, Shard } from './worker.mjs'
import { ShardedNidus } from 'nidus-wasm/sharded'
import { vectorOf } from './vectors.mjs'

export { Router, Shard }

const stores = new Map()

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname !== '/fill') return worker.fetch(request, env)
    const [from, to, dimension, shards] = ['from', 'to', 'dimension', 'shards'].map((name) =>
      Number(searchParams.get(name)),
    )
    if (!stores.has(shards))
      stores.set(shards, new ShardedNidus({ router: env.ROUTER, shards: env.SHARD }, 'million', { dimension, shards }))
    await stores.get(shards).upsert(
      'c',
      Array.from({ length: to - from }, (_, i) => ({ id: `${from + i}`, vector: vectorOf(from + i, dimension) })),
    )
    return new Response('written')
  },
}
