// On Cloudflare, each store has a Durable Object of its own.
import { DurableObject } from 'cloudflare:workers'
import { Nidus } from 'nidus-wasm'
import { durableObject } from 'nidus-wasm/durable-object'
import { admit, failure, service } from './service.js'

export class Index extends DurableObject {
  #db
  #answer = service(() => this.#open())

  /**
   * Opens the store when it is first needed. A store that had to stop (FAILED) is opened again: everything that was
   * acknowledged is in the object's SQLite.
   */
  #open() {
    if (this.#db) return this.#db
    const opened = (this.#db = Nidus.open('index', {
      dimension: Number(this.env.DIMENSION),
      storage: durableObject(this.ctx.storage),
      memory: 'compact',
    }))
    const over = () => void (this.#db === opened && (this.#db = undefined))
    opened.then((db) => db.closed.then(over), over)
    return opened
  }

  fetch(request) {
    const [, , ...action] = new URL(request.url).pathname.split('/')
    return this.#answer(request, action.join('/'))
  }
}

export default {
  async fetch(request, env) {
    try {
      // A request without the right token wakes no object.
      const { store } = await admit(request, env.TOKEN)
      return await env.INDEX.get(env.INDEX.idFromName(store)).fetch(request)
    } catch (error) {
      return failure(error)
    }
  },
}
