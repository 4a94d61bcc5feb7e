import { DurableObject } from 'cloudflare:workers'
import { Nidus } from 'nidus-wasm'

/**
 * Makes a large insert, and then searches that wait for each other. Returns how many rows have codes, and how often a
 * timer fired meanwhile.
 */
async function busy(rows, searches) {
  const dimension = 384
  const db = await Nidus.open('busy', { storage: 'memory', dimension })
  let seed = 1
  const next = () => (seed = (seed * 1664525 + 1013904223) >>> 0) / 2 ** 32 - 0.5
  const vectors = Float32Array.from({ length: rows * dimension }, next)
  await db.upsert('c', { ids: Array.from({ length: rows }, (_, i) => `${i}`), vectors })
  let fired = 0
  const timer = setInterval(() => fired++, 1)
  let all = -1
  for (let i = 0; i < searches; i++) {
    await db.search(Float32Array.from({ length: dimension }, next))
    if (all < 0 && (await db.footprint()).codedRows === rows) all = i
  }
  clearInterval(timer)
  const { codedRows } = await db.footprint()
  await db.close()
  return { codedRows, fired, all }
}

export class Store extends DurableObject {
  fetch(request) {
    const { searchParams } = new URL(request.url)
    const work = () => busy(Number(searchParams.get('rows')), Number(searchParams.get('searches')))
    return (searchParams.has('blocking') ? this.ctx.blockConcurrencyWhile(work) : work()).then((found) =>
      Response.json(found),
    )
  }
}

export default {
  async fetch(request, env) {
    const { searchParams } = new URL(request.url)
    if (searchParams.has('object')) return env.STORE.get(env.STORE.idFromName('busy')).fetch(request)
    return Response.json(await busy(Number(searchParams.get('rows')), Number(searchParams.get('searches'))))
  },
}
