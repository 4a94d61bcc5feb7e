// The service itself, for Cloudflare, Deno and Bun: it checks the token and the limits, and does what each request asks
// of a store.
import { NidusError } from 'nidus-wasm'
import { parseExactly, tagged, untagged, untaggedAttrs } from './values.js'

/**
 * Times are in milliseconds. `idleMs`: how long a client may send nothing of its body, or read nothing of an export.
 * `bodyMs`, `exportMs`: how long a whole body or export may take.
 */
export const LIMITS = {
  bodyBytes: 16 * 1024 * 1024,
  records: 2000,
  ids: 10_000,
  queries: 32,
  topK: 1000,
  atOnce: 32,
  exports: 4,
  idleMs: 10_000,
  bodyMs: 60_000,
  exportMs: 900_000,
}

const STATUS = {
  INVALID_ARGUMENT: 400,
  DIMENSION_MISMATCH: 400,
  UNAUTHORIZED: 401,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  TOO_SLOW: 408,
  TOO_LARGE: 413,
  NOT_JSON: 415,
  BUSY: 429,
  LOCKED: 503,
  FAILED: 503,
  OUTCOME_UNKNOWN: 503,
  NOT_CONFIGURED: 503,
  CAPACITY: 507,
  QUOTA_EXCEEDED: 507,
}

/** A request that is refused before a store is asked. */
class Refusal extends Error {
  constructor(code, message, headers = {}) {
    super(message)
    this.code = code
    this.headers = headers
  }
}

/**
 * Returns the answer for an error: `{ "error": { "code", "message" } }`. If the service itself has a fault, the message
 * is not sent.
 */
export function failure(error) {
  const known = error instanceof Refusal || error instanceof NidusError
  if (!known) console.error(error)
  const { code, message, headers } = known ? error : { code: 'INTERNAL', message: 'the request failed' }
  return Response.json({ error: { code, message } }, { status: STATUS[code] ?? 500, headers: headers ?? {} })
}

/**
 * Returns whether two texts are equal. It compares digests, so that the time does not say how much of a token is right.
 */
async function same(given, expected) {
  const [a, b] = await Promise.all(
    [given, expected].map(
      async (text) => new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))),
    ),
  )
  return a.reduce((difference, byte, i) => difference | (byte ^ b[i]), 0) === 0
}

/** Returns the name of the store and the rest of the path. Throws if the token is wrong. */
export async function admit(request, token) {
  if (!token) throw new Refusal('NOT_CONFIGURED', 'the service has no TOKEN')
  const [, given = ''] = /^Bearer (.*)$/i.exec(request.headers.get('authorization') ?? '') ?? []
  if (!(await same(given, token)))
    throw new Refusal('UNAUTHORIZED', 'Authorization: Bearer TOKEN is wanted', { 'www-authenticate': 'Bearer' })
  const [, store, ...rest] = new URL(request.url).pathname.split('/')
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(store))
    throw new Refusal('NOT_FOUND', 'the path begins with a store: up to 63 of a-z, 0-9 and -')
  return { store, action: rest.join('/') }
}

/** Reads a part of a stream. Waits for it at most `ms` milliseconds. */
async function part(reader, ms) {
  let timer
  const late = new Promise(
    (_, reject) => (timer = setTimeout(() => reject(new Refusal('TOO_SLOW', 'the body did not come in time')), ms)),
  )
  try {
    return await Promise.race([reader.read(), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Returns the body as an object. Refuses a body that is too large or arrives too slowly. */
async function read(request, { bodyBytes, bodyMs, idleMs }) {
  if (!/^application\/json\b/.test(request.headers.get('content-type') ?? ''))
    throw new Refusal('NOT_JSON', 'Content-Type: application/json is wanted')
  const tooLarge = new Refusal('TOO_LARGE', `a request has at most ${bodyBytes} bytes`)
  // A client that still sends when the answer comes may not see the answer. So a body that is too large is read to its
  // end, unless it is more than four times too large.
  const most = 4 * bodyBytes
  if (Number(request.headers.get('content-length') ?? 0) > most) throw tooLarge
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let [text, bytes] = ['', 0]
  const reader = request.body?.getReader()
  const until = Date.now() + bodyMs
  try {
    while (reader) {
      const { done, value } = await part(reader, Math.max(0, Math.min(idleMs, until - Date.now())))
      if (done) break
      bytes += value.length
      if (bytes > most) throw tooLarge
      if (bytes <= bodyBytes) text += decoder.decode(value, { stream: true })
    }
    if (bytes > bodyBytes) throw tooLarge
    const body = parseExactly(text + decoder.decode())
    if (body === null || typeof body !== 'object' || Array.isArray(body)) throw new TypeError('no object')
    return body
  } catch (error) {
    reader?.cancel().catch(() => {})
    throw error instanceof Refusal
      ? error
      : new Refusal('INVALID_ARGUMENT', `the body is no JSON object: ${error.message}`)
  }
}

function list(value, name, most) {
  if (!Array.isArray(value)) throw new Refusal('INVALID_ARGUMENT', `${name} is an array`)
  if (value.length > most) throw new Refusal('TOO_LARGE', `${name}: at most ${most} a request`)
  return value
}

/** Throws if a body has other fields than `names`, so that a misspelt field is an error. */
function only(body, ...names) {
  const other = Object.keys(body).find((name) => !names.includes(name))
  if (other !== undefined)
    throw new Refusal('INVALID_ARGUMENT', `the body may have ${names.join(', ')}, and no ${other}`)
  return body
}

/** Returns what a client sent with its tagged values replaced. Refuses the request if a tag is wrong. */
function plainly(value, read = untagged) {
  try {
    return read(value)
  } catch (error) {
    throw new Refusal('INVALID_ARGUMENT', error.message)
  }
}
const tell = ({ vector, attrs, ...rest }) => ({
  ...rest,
  attrs: tagged(attrs),
  ...(vector && { vector: Array.from(vector) }),
})

/**
 * The stores that are being compacted. Replaced and deleted records leave dead rows until then. If most rows are dead
 * after a write, its request compacts the store and waits for that. No other request waits.
 */
const compacting = new WeakSet()
/** The number of exports of each store that are being read. A compaction would wait for them, so it is made later. */
const exporting = new WeakMap()
async function tidy(db) {
  if (exporting.get(db)) return
  const { rows, deadRows } = await db.footprint()
  if (deadRows < 5000 || deadRows * 2 < rows || compacting.has(db)) return
  compacting.add(db)
  try {
    await db.compact()
  } catch (error) {
    // The write itself was made, so it is acknowledged. The next write tries the compaction again.
    console.error(error)
  } finally {
    compacting.delete(db)
  }
}

/** Returns the same stream, which ends with an error if its reader is too slow. `over` is called once, at the end. */
function readInTime(stream, { idleMs, exportMs }, over) {
  const reader = stream.getReader()
  const until = Date.now() + exportMs
  let timer
  const end = () => {
    clearTimeout(timer)
    over()
  }
  const watch = (controller) => {
    timer = setTimeout(
      () => {
        end()
        controller.error(new Error('the export was not read in time'))
        reader.cancel().catch(() => {})
      },
      Math.max(0, Math.min(idleMs, until - Date.now())),
    )
  }
  return new ReadableStream(
    {
      start: watch,
      async pull(controller) {
        clearTimeout(timer)
        try {
          const { done, value } = await reader.read()
          if (!done) return (controller.enqueue(value), watch(controller))
          end()
          controller.close()
        } catch (error) {
          end()
          controller.error(error)
        }
      },
      cancel(reason) {
        end()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

const ACTIONS = {
  async 'POST upsert'(db, body, limits) {
    const { collection, records } = only(body, 'collection', 'records')
    const given = list(records, 'records', limits.records)
    await db.upsert(
      collection,
      given.map((record) => (record?.attrs ? { ...record, attrs: plainly(record.attrs, untaggedAttrs) } : record)),
    )
    await tidy(db)
    return { upserted: records.length }
  },
  async 'POST search'(db, body, limits) {
    const { vector, vectors, ...options } = only(
      body,
      'vector',
      'vectors',
      'collections',
      'topK',
      'minScore',
      'filter',
      'withVectors',
    )
    if ((options.topK ?? 10) > limits.topK) throw new Refusal('TOO_LARGE', `topK: at most ${limits.topK}`)
    const asked = { ...options, filter: plainly(options.filter) }
    if (vectors === undefined) return { hits: (await db.search(vector, asked)).map(tell) }
    return {
      hits: (await db.searchMany(list(vectors, 'vectors', limits.queries), asked)).map((hits) => hits.map(tell)),
    }
  },
  async 'POST get'(db, body, limits) {
    const { collection, ids } = only(body, 'collection', 'ids')
    const found = await db.get(collection, list(ids, 'ids', limits.ids))
    return { records: found.map((record) => (record ? tell(record) : null)) }
  },
  async 'POST delete'(db, body, limits) {
    const { collection, ids, filter } = only(body, 'collection', 'ids', 'filter')
    if ((ids === undefined) === (filter === undefined)) throw new Refusal('INVALID_ARGUMENT', 'either ids or a filter')
    const deleted = ids
      ? await db.delete(collection, list(ids, 'ids', limits.ids))
      : await db.deleteWhere(collection, plainly(filter))
    await tidy(db)
    return { deleted }
  },
  async 'POST compact'(db) {
    if (exporting.get(db))
      throw new Refusal('BUSY', 'an export is being read, which a compaction would wait for', { 'retry-after': '10' })
    await db.compact()
    return db.footprint()
  },
  async 'GET stats'(db) {
    return { ...(await db.footprint()), collections: await db.collections(), recovered: db.recovery }
  },
  /** Returns a tar of the store as it was when the request came. */
  async 'GET export'(db, body, limits, keep) {
    if ((exporting.get(db) ?? 0) >= limits.exports)
      throw new Refusal('BUSY', `${limits.exports} exports are being read`, { 'retry-after': '10' })
    const release = keep()
    exporting.set(db, (exporting.get(db) ?? 0) + 1)
    const over = once(() => {
      exporting.set(db, exporting.get(db) - 1)
      release()
    })
    return new Response(readInTime(db.export(), limits, over), {
      headers: { 'content-type': 'application/x-tar', 'content-disposition': 'attachment; filename="store.tar"' },
    })
  },
}

const once = (work) => {
  let done = false
  return () => {
    if (!done) work()
    done = true
  }
}

/**
 * Returns what answers the requests to one store. At most `atOnce` requests are accepted at a time, so that each is
 * answered soon. All others are told to try again. An export counts until it has been read.
 */
export function service(open, limits = LIMITS) {
  let running = 0
  return async (request, action) => {
    if (running >= limits.atOnce)
      return failure(new Refusal('BUSY', 'too many requests at once', { 'retry-after': '1' }))
    running++
    const release = once(() => running--)
    let kept = false
    const keep = () => {
      kept = true
      return release
    }
    try {
      const act = ACTIONS[`${request.method} ${action}`]
      if (!act) {
        const allowed = Object.keys(ACTIONS)
          .filter((name) => name.endsWith(` ${action}`))
          .map((name) => name.split(' ')[0])
        throw allowed.length
          ? new Refusal('METHOD_NOT_ALLOWED', `${action} takes ${allowed}`, { allow: allowed.join() })
          : new Refusal(
              'NOT_FOUND',
              `a store is asked for ${Object.keys(ACTIONS)
                .map((name) => name.split(' ')[1])
                .join(', ')}`,
            )
      }
      const body = request.method === 'POST' && action !== 'compact' ? await read(request, limits) : {}
      const result = await act(await open(), body, limits, keep)
      return result instanceof Response ? result : Response.json(result)
    } catch (error) {
      return failure(error)
    } finally {
      if (!kept) release()
    }
  }
}
