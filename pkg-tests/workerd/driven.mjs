// A worker whose object has a store. The path of a request says what to do.
import { Nidus } from 'nidus-wasm'
import { durableObject } from 'nidus-wasm/durable-object'
import { DIMENSION, digest, operate } from './work.mjs'

const ROOM = 2 ** 50

export class Store {
  constructor(ctx) {
    this.ctx = ctx
  }

  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url)
    const [seed, from, to, window] = ['seed', 'from', 'to', 'window'].map((name) => Number(searchParams.get(name)))
    try {
      return await this[pathname.slice(1)]({
        seed,
        from,
        to: to || Infinity,
        window: window || 1,
        file: searchParams.get('file'),
      })
    } catch (error) {
      return new Response(`${error.code}: ${error.stack}`, { status: 500 })
    }
  }

  open() {
    return (this.db ??= Nidus.open('driven', {
      dimension: DIMENSION,
      storage: durableObject(this.ctx.storage),
      autoCompact: false,
    }))
  }

  /**
   * Makes operations in their order, with at most `window` under way. The response has a line for each that is
   * acknowledged.
   */
  async write({ seed, from, to, window }) {
    const db = await this.open()
    const line = (text) => new TextEncoder().encode(`${text}\n`)
    const under = []
    let next = from
    return new Response(
      new ReadableStream({
        async pull(controller) {
          try {
            while (under.length < window && next < to) under.push(operate(db, seed, next++))
            if (under.length === 0) return controller.close()
            await under.shift()
            controller.enqueue(line(next - under.length - 1))
          } catch (error) {
            controller.enqueue(line(`${error.code}: ${error.stack}`))
            controller.close()
          }
        },
      }),
    )
  }

  /** Returns what is in the store, and checks that it can be written to. */
  async check() {
    const db = await this.open()
    const found = {
      digest: await digest(db),
      count: await db.count('c'),
      newest: await newest(db),
      recovery: db.recovery,
    }
    await db.upsert('further', [
      { id: 'one', vector: new Float32Array(DIMENSION).fill(1), attrs: { count: found.count } },
    ])
    const [further] = await db.get('further', ['one'])
    const [{ generation }] = this.ctx.storage.sql.exec('SELECT generation FROM nidus_stores')
    const [{ rubbish }] = this.ctx.storage.sql.exec(
      'SELECT count(*) AS rubbish FROM nidus_extents_1 WHERE (id >= ?) <> ?',
      2 * ROOM,
      generation % 2,
    )
    return Response.json({ ...found, generation, rubbish, further: further.attrs.count === found.count })
  }

  /** Returns the bytes of a file as the table has them. */
  file({ file }) {
    const { sql } = this.ctx.storage
    const [{ generation }] = sql.exec('SELECT generation FROM nidus_stores')
    const place = (2 * (generation % 2) + (file === 'log' ? 1 : 0)) * ROOM
    const extents = [
      ...sql.exec('SELECT bytes FROM nidus_extents_1 WHERE id >= ? AND id < ? ORDER BY id', place, place + ROOM),
    ]
    return new Response(new Blob(extents.map(({ bytes }) => bytes)))
  }
}

/** Returns the number of the last operation that left a record, or -1. */
async function newest(db) {
  let last = -1
  for await (const { attrs } of db.records('c')) last = Math.max(last, attrs.number)
  return last
}

export default {
  fetch: (request, env) => env.STORE.get(env.STORE.idFromName('the one')).fetch(request),
}
