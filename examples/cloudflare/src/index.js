import { DurableObject } from 'cloudflare:workers'
import { Nidus } from 'nidus-wasm'
import { durableObject } from 'nidus-wasm/durable-object'

const STATUS = { INVALID_ARGUMENT: 400, DIMENSION_MISMATCH: 400, CAPACITY: 507, QUOTA_EXCEEDED: 507 }

export class Notes extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env)
    ctx.blockConcurrencyWhile(async () => {
      this.db = await Nidus.open('notes', { dimension: 3, storage: durableObject(ctx.storage), memory: 'compact' })
    })
  }

  async fetch(request) {
    const [, collection, id] = new URL(request.url).pathname.split('/').map(decodeURIComponent)
    try {
      switch (`${request.method} ${id === undefined ? collection : 'record'}`) {
        case 'PUT record': {
          const { vector, attrs } = await request.json()
          await this.db.upsert(collection, [{ id, vector, attrs }])
          return new Response(null, { status: 204 })
        }
        case 'DELETE record':
          return Response.json({ deleted: await this.db.delete(collection, [id]) })
        case 'POST search': {
          const { vector, ...options } = await request.json()
          return Response.json(await this.db.search(vector, options))
        }
        default:
          return Response.json({ message: 'PUT or DELETE /collection/id, POST /search' }, { status: 404 })
      }
    } catch (error) {
      const bad = error instanceof SyntaxError
      return Response.json(
        { code: bad ? 'INVALID_ARGUMENT' : error.code, message: error.message },
        { status: bad ? 400 : (STATUS[error.code] ?? 500) },
      )
    }
  }
}

export default {
  fetch: (request, env) => env.NOTES.get(env.NOTES.idFromName('all')).fetch(request),
}
