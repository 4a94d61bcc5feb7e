// The service itself, for Cloudflare, Deno and Bun: it checks the token and the limits, and does what each request asks
// of a store.
import { NidusError } from 'nidus-wasm'
import { parseExactly, tagged, untagged, untaggedAttrs } from './values.js'

/**
 * `idleMs`: the longest time in which a client sends nothing of its body, or reads nothing of an export. `bodyMs`,
 * `exportMs`: the longest time for all of it.
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

/** The request is refused before a store is asked. */
class Refusal extends Error {
  constructor(code, message, headers = {}) {
    super(message)
    this.code = code
    this.headers = headers
  }
}

/**
 * Makes an answer of an error: `{ "error": { "code", "message" } }`. If the fault is the service's own, its message is
 * not sent.
 */
export function failure(error) {
  const known = error instanceof Refusal || error instanceof NidusError
  if (!known) console.error(error)
  const { code, message, headers } = known ? error : { code: 'INTERNAL', message: 'the request failed' }
  return Response.json({ error: { code, message } }, { status: STATUS[code] ?? 500, headers: headers ?? {} })
}

/** Takes the same time for every token, because it compares digests. */
async function same(given, expected) {
  const [a, b] = await Promise.all(
    [given, expected].map(
      async (text) => new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))),
    ),
  )
  return a.reduce((difference, byte, i) => difference | (byte ^ b[i]), 0) === 0
}

/** Checks the token, or throws. Returns the name of the store and the rest of the path. */
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

/** Waits at most this time for a part of a stream. */
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
  // A client that is still sending when the answer comes may not see it. So a body that is too large is read to its end
  // and dropped, unless it is many times too large.
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

/** Names the fields that a body may have. A misspelt field is an error. */
function only(body, ...names) {
  const other = Object.keys(body).find((name) => !names.includes(name))
  if (other !== undefined)
    throw new Refusal('INVALID_ARGUMENT', `the body may have ${names.join(', ')}, and no ${other}`)
  return body
}

/** Resolves the tags in what a client sends. If they are wrong, the client is told. */
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
 * Replaced and deleted records leave dead rows until the store is compacted. When most rows are dead, the request that
 * made the last one waits for the compaction, and no other request does.
 */
const compacting = new WeakSet()
/** The number of exports of a store that are being read. A compaction would wait for them, so it is put off. */
const exporting = new WeakMap()
async function tidy(db) {
  if (exporting.get(db)) return
  const { rows, deadRows } = await db.footprint()
  if (deadRows < 5000 || deadRows * 2 < rows || compacting.has(db)) return
  compacting.add(db)
  try {
    await db.compact()
  } catch (error) {
    // The write itself was made. The next write tries the compaction again.
    console.error(error)
  } finally {
    compacting.delete(db)
  }
}

/** Ends the stream if its reader stops reading. `over` is called once. */
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
  /** Returns a tar of the store, as it was when the request came. */
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
 * Answers the requests to one store. At most `atOnce` are accepted at a time, so that each is answered soon. All others
 * are told to come again. An export counts until it has been read.
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
