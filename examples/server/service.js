// The service itself, the same on Cloudflare, Deno and Bun: who may ask, what is too much, and what each request does to a store.
import { NidusError } from 'nidus-wasm'

export const LIMITS = { bodyBytes: 16 * 1024 * 1024, records: 2000, ids: 10_000, queries: 32, topK: 1000, atOnce: 32 }

const STATUS = {
  INVALID_ARGUMENT: 400, DIMENSION_MISMATCH: 400, UNAUTHORIZED: 401, NOT_FOUND: 404, METHOD_NOT_ALLOWED: 405, TOO_LARGE: 413, NOT_JSON: 415, BUSY: 429,
  LOCKED: 503, FAILED: 503, OUTCOME_UNKNOWN: 503, NOT_CONFIGURED: 503, CAPACITY: 507, QUOTA_EXCEEDED: 507,
}

/** What is refused before a store is asked. */
class Refusal extends Error {
  constructor(code, message, headers = {}) {
    super(message)
    this.code = code
    this.headers = headers
  }
}

/** Of any error an answer: `{ "error": { "code", "message" } }`. What is nobody's fault but the service's is not described. */
export function failure(error) {
  const known = error instanceof Refusal || error instanceof NidusError
  if (!known) console.error(error)
  const { code, message, headers } = known ? error : { code: 'INTERNAL', message: 'the request failed' }
  return Response.json({ error: { code, message } }, { status: STATUS[code] ?? 500, headers: headers ?? {} })
}

/** Takes as long for any token: it is digests that are compared. */
async function same(given, expected) {
  const [a, b] = await Promise.all([given, expected].map(async (text) => new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))))
  return a.reduce((difference, byte, i) => difference | (byte ^ b[i]), 0) === 0
}

/** Lets a request in, or throws. Returns the name of the store that it is for, and what comes after it in the path. */
export async function admit(request, token) {
  if (!token) throw new Refusal('NOT_CONFIGURED', 'the service has no TOKEN')
  const [, given = ''] = /^Bearer (.*)$/i.exec(request.headers.get('authorization') ?? '') ?? []
  if (!(await same(given, token))) throw new Refusal('UNAUTHORIZED', 'Authorization: Bearer TOKEN is wanted', { 'www-authenticate': 'Bearer' })
  const [, store, ...rest] = new URL(request.url).pathname.split('/')
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(store)) throw new Refusal('NOT_FOUND', 'the path begins with a store: up to 63 of a-z, 0-9 and -')
  return { store, action: rest.join('/') }
}

/** The body as an object, and no more of it than is allowed. */
async function read(request, { bodyBytes }) {
  if (!/^application\/json\b/.test(request.headers.get('content-type') ?? '')) throw new Refusal('NOT_JSON', 'Content-Type: application/json is wanted')
  const tooLarge = new Refusal('TOO_LARGE', `a request has at most ${bodyBytes} bytes`)
  if (Number(request.headers.get('content-length') ?? 0) > bodyBytes) throw tooLarge
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let [text, bytes] = ['', 0]
  try {
    for await (const chunk of request.body ?? []) {
      bytes += chunk.length
      if (bytes > bodyBytes) throw tooLarge
      text += decoder.decode(chunk, { stream: true })
    }
    const body = JSON.parse(text + decoder.decode())
    if (body === null || typeof body !== 'object' || Array.isArray(body)) throw new TypeError('no object')
    return body
  } catch (error) {
    throw error === tooLarge ? error : new Refusal('INVALID_ARGUMENT', `the body is no JSON object: ${error.message}`)
  }
}

function list(value, name, most) {
  if (!Array.isArray(value)) throw new Refusal('INVALID_ARGUMENT', `${name} is an array`)
  if (value.length > most) throw new Refusal('TOO_LARGE', `${name}: at most ${most} a request`)
  return value
}

/** Names the fields that a body may have: a misspelt one is told instead of being passed over. */
function only(body, ...names) {
  const other = Object.keys(body).find((name) => !names.includes(name))
  if (other !== undefined) throw new Refusal('INVALID_ARGUMENT', `the body may have ${names.join(', ')}, and no ${other}`)
  return body
}

/** What is replaced or deleted stays as dead rows until a store is compacted: when they are the most, whoever made the last one waits for that, and nobody else does. */
const compacting = new WeakSet()
async function tidy(db) {
  const { rows, deadRows } = await db.footprint()
  if (deadRows < 5000 || deadRows * 2 < rows || compacting.has(db)) return
  compacting.add(db)
  try {
    await db.compact()
  } catch (error) {
    // The write is done; the next one tries again.
    console.error(error)
  } finally {
    compacting.delete(db)
  }
}

const ACTIONS = {
  async 'POST upsert'(db, body, limits) {
    const { collection, records } = only(body, 'collection', 'records')
    await db.upsert(collection, list(records, 'records', limits.records))
    await tidy(db)
    return { upserted: records.length }
  },
  async 'POST search'(db, body, limits) {
    const { vector, vectors, ...options } = only(body, 'vector', 'vectors', 'collections', 'topK', 'minScore', 'filter', 'withVectors')
    if ((options.topK ?? 10) > limits.topK) throw new Refusal('TOO_LARGE', `topK: at most ${limits.topK}`)
    const plain = (hits) => hits.map(({ vector, ...hit }) => ({ ...hit, ...(vector && { vector: Array.from(vector) }) }))
    if (vectors === undefined) return { hits: plain(await db.search(vector, options)) }
    return { hits: (await db.searchMany(list(vectors, 'vectors', limits.queries), options)).map(plain) }
  },
  async 'POST get'(db, body, limits) {
    const { collection, ids } = only(body, 'collection', 'ids')
    const found = await db.get(collection, list(ids, 'ids', limits.ids))
    return { records: found.map((record) => (record ? { ...record, vector: Array.from(record.vector) } : null)) }
  },
  async 'POST delete'(db, body, limits) {
    const { collection, ids, filter } = only(body, 'collection', 'ids', 'filter')
    if ((ids === undefined) === (filter === undefined)) throw new Refusal('INVALID_ARGUMENT', 'either ids or a filter')
    const deleted = ids ? await db.delete(collection, list(ids, 'ids', limits.ids)) : await db.deleteWhere(collection, filter)
    await tidy(db)
    return { deleted }
  },
  async 'POST compact'(db) {
    await db.compact()
    return db.footprint()
  },
  async 'GET stats'(db) {
    return { ...(await db.footprint()), collections: await db.collections(), recovered: db.recovery }
  },
  /** A tar of native nidus's directory, as it was when the request came. */
  async 'GET export'(db) {
    return new Response(db.export(), { headers: { 'content-type': 'application/x-tar', 'content-disposition': 'attachment; filename="store.tar"' } })
  },
}

/** Answers requests to one store. More than `atOnce` at a time are told to come again: what is accepted is answered soon. */
export function service(open, limits = LIMITS) {
  let running = 0
  return async (request, action) => {
    if (running >= limits.atOnce) return failure(new Refusal('BUSY', 'too many requests at once', { 'retry-after': '1' }))
    running++
    try {
      const act = ACTIONS[`${request.method} ${action}`]
      if (!act) {
        const allowed = Object.keys(ACTIONS).filter((name) => name.endsWith(` ${action}`)).map((name) => name.split(' ')[0])
        throw allowed.length ? new Refusal('METHOD_NOT_ALLOWED', `${action} takes ${allowed}`, { allow: allowed.join() }) : new Refusal('NOT_FOUND', `a store is asked for ${Object.keys(ACTIONS).map((name) => name.split(' ')[1]).join(', ')}`)
      }
      const body = request.method === 'POST' && action !== 'compact' ? await read(request, limits) : {}
      const result = await act(await open(), body, limits)
      return result instanceof Response ? result : Response.json(result)
    } catch (error) {
      return failure(error)
    } finally {
      running--
    }
  }
}
