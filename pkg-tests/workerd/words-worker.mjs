// A worker whose object has a store. A request names a method of it and its arguments.
import { Nidus } from 'nidus-wasm'
import { durableObject } from 'nidus-wasm/durable-object'

export class Store {
  constructor(ctx) {
    this.ctx = ctx
  }

  async fetch(request) {
    const [method, ...args] = await request.json()
    try {
      this.db ??= await Nidus.open('words', { dimension: 8, storage: durableObject(this.ctx.storage) })
      const answer = (await this.db[method](...args)) ?? null
      // The counts of facets are a property of the list of hits, and JSON leaves it out.
      return Response.json({ answer, facets: answer?.facets })
    } catch (error) {
      return Response.json({ code: error.code, message: error.message })
    }
  }
}

export default {
  fetch: (request, env) => env.STORE.get(env.STORE.idFromName('the one')).fetch(request),
}
