// `npm run load:server [-- --seconds 120 --rows 20000 --place workerd]`: tests the service of examples/server with
// mixed reads and writes for a time, and compares each answer with a model. Then it fills one object with 100,000 rows.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { generate } from '../../bench/data/rows.mjs'
import { median, percentile } from '../../bench/data/statistics.mjs'
import { main, say, Trouble } from '../../scripts/lib.mjs'
import { mulberry32 } from '../common/mulberry32.mjs'
import { ask, PLACES } from './places.mjs'

const D = 384
const TOP = 10
const CLIENTS = 4
const PAUSE_MS = 8
/** The number of documents that nobody changes. A search for one of them must find it. */
const STABLE = 1000
const NEAR = 2e-6

/** Returns the vector of a version of a document. */
function vectorOf(number, version) {
  const next = mulberry32(Math.imul(number + 1, 0x9e3779b1) ^ Math.imul(version, 0x85ebca6b))
  return Float32Array.from({ length: D }, () => next() - 0.5)
}
const unit = (vector) => {
  const norm = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0))
  return Float64Array.from(vector, (x) => x / norm)
}
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0)
const expect = (good, what) => {
  if (!good) throw new Trouble(what)
}

async function demand(url, path, body, options) {
  for (let tries = 0; ; tries++) {
    const answer = await ask(url, path, body, options)
    if (answer.status === 429 && tries < 100) await new Promise((resolve) => setTimeout(resolve, 50))
    else if (answer.status === 200) return answer.body
    else throw new Trouble(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }
}

const upsert = (url, numbers, version) =>
  demand(url, 'load/upsert', {
    collection: 'c',
    records: numbers.map((number) => ({
      id: `${number}`,
      vector: Array.from(vectorOf(number, version(number))),
      attrs: { version: version(number), group: number % 10 },
    })),
  })

/** Returns the hits that the model finds for a search. */
function best(model, query, group) {
  const asked = unit(query)
  const found = []
  for (const [number, version] of model) {
    if (version === undefined || (group !== undefined && number % 10 !== group)) continue
    found.push({ id: `${number}`, score: dot(asked, unit(vectorOf(number, version))) })
  }
  return found.sort((a, b) => b.score - a.score).slice(0, TOP)
}

async function load(url, rows, seconds) {
  const model = new Map()
  for (let at = 0; at < rows; at += 500) {
    const numbers = Array.from({ length: Math.min(500, rows - at) }, (_, i) => at + i)
    await upsert(url, numbers, () => 1)
    for (const number of numbers) model.set(number, 1)
  }
  const random = Math.random
  const someQuery = () => Float32Array.from({ length: D }, () => random() - 0.5)
  // In workerd, codes are made during searches.
  for (let i = 0; i < 300; i++) await demand(url, 'load/search', { vector: Array.from(someQuery()), topK: TOP })
  const times = { search: [], write: [] }
  const checked = { searches: 0, exact: 0, writes: 0 }
  const until = performance.now() + seconds * 1000

  /** Compares searches with the model exactly, while no client writes. */
  async function exact() {
    for (const group of [undefined, 3]) {
      const vector = someQuery()
      const { hits } = await demand(url, 'load/search', {
        vector: Array.from(vector),
        topK: TOP,
        ...(group !== undefined && { filter: { group } }),
      })
      const wanted = best(model, vector, group)
      expect(
        hits.length === wanted.length && hits.every(({ score }, i) => Math.abs(score - wanted[i].score) < NEAR),
        `wrong answer: ${JSON.stringify(hits.map(({ id, score }) => [id, score]))} instead of ` +
          `${JSON.stringify(wanted)}`,
      )
      checked.exact++
    }
  }

  async function client(own, over) {
    // Each client changes only its own documents, so the order of the changes is known.
    const mine = Array.from({ length: rows - STABLE }, (_, i) => STABLE + i).filter(
      (number) => number % CLIENTS === own,
    )
    const some = (count) => [...new Set(Array.from({ length: count }, () => mine[Math.floor(random() * mine.length)]))]
    while (performance.now() < over) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      const dice = random()
      const began = performance.now()
      if (dice < 0.7) {
        const known = random() < 0.5 ? Math.floor(random() * STABLE) : undefined
        const vector = known === undefined ? someQuery() : vectorOf(known, 1)
        const body = {
          vector: Array.from(vector),
          topK: TOP,
          ...(random() < 0.3 && { filter: { group: known === undefined ? 5 : known % 10 } }),
        }
        const { hits } = await demand(url, 'load/search', body)
        times.search.push(performance.now() - began)
        expect(hits.length === TOP, `${hits.length} hits`)
        expect(known === undefined || hits[0].id === `${known}`, `${known} does not find itself, but ${hits[0].id}`)
        const asked = unit(vector)
        hits.forEach(({ id, score, attrs }, i) => {
          expect(
            Math.abs(score - dot(asked, unit(vectorOf(Number(id), attrs.version)))) < NEAR,
            `${id} has another score in version ${attrs.version}`,
          )
          expect(i === 0 || score <= hits[i - 1].score, 'out of order')
          expect(!body.filter || attrs.group === body.filter.group, `${id} is not in group ${body.filter?.group}`)
        })
        checked.searches++
      } else if (dice < 0.93) {
        const numbers = some(20)
        const version = (number) => ((model.get(number) ?? 0) % 60) + 1
        await upsert(url, numbers, version)
        times.write.push(performance.now() - began)
        for (const number of numbers) model.set(number, version(number))
        checked.writes++
      } else {
        const numbers = some(4)
        await demand(url, 'load/delete', { collection: 'c', ids: numbers.map(String) })
        for (const number of numbers) model.set(number, undefined)
        checked.writes++
      }
    }
  }

  // Memory is measured after the first compaction, which needs memory for the old and the new rows at the same time.
  let warm
  let most = 0
  while (performance.now() < until) {
    const over = Math.min(until, performance.now() + 10_000)
    await Promise.all(Array.from({ length: CLIENTS }, (_, own) => client(own, over)))
    await exact()
    const now = await demand(url, 'load/stats')
    if (now.deadRows < most) warm ??= now
    most = Math.max(most, now.deadRows)
  }
  if (!warm) throw new Trouble('too short: no compaction came')
  const numbers = [...model.keys()]
  for (let at = 0; at < numbers.length; at += 200) {
    const part = numbers.slice(at, at + 200)
    const { records } = await demand(url, 'load/get', { collection: 'c', ids: part.map(String) })
    part.forEach((number, i) =>
      expect(
        (records[i]?.attrs.version ?? undefined) === model.get(number),
        `${number}: version ${records[i]?.attrs.version} instead of ${model.get(number)}`,
      ),
    )
  }
  const end = await demand(url, 'load/stats')
  const p50 = median(times.search)
  const p95 = percentile(times.search, 0.95)
  say(
    `  ${checked.searches} searches and ${checked.writes} writes by ${CLIENTS} clients, ${checked.exact} searches ` +
      'held against all documents: no wrong answer, nothing lost',
  )
  say(
    `  search: p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms (${(p95 / p50).toFixed(1)} x); upsert of 20: p50 ` +
      `${median(times.write).toFixed(1)} ms, p95 ${percentile(times.write, 0.95).toFixed(1)} ms`,
  )
  say(
    `  wasm memory ${(warm.memoryBytes / 1e6).toFixed(1)} MB after warm-up, ${(end.memoryBytes / 1e6).toFixed(1)} ` +
      `MB at the end (${(end.memoryBytes / warm.memoryBytes).toFixed(2)} x); rows ${end.rows}, of which dead ` +
      `${end.deadRows}`,
  )
  return { wrong: 0, ratio: p95 / p50, memory: end.memoryBytes / warm.memoryBytes }
}

/** Asks V8's inspector for the bytes of the heap, and for those that V8 has outside of it. */
async function heapOf(inspector) {
  const [{ webSocketDebuggerUrl }] = await (await fetch(`${inspector}/json`)).json()
  const socket = new WebSocket(webSocketDebuggerUrl)
  await new Promise((resolve, reject) => ((socket.onopen = resolve), (socket.onerror = reject)))
  const call = (id, method) =>
    new Promise((resolve) => {
      socket.addEventListener('message', ({ data }) => {
        const message = JSON.parse(data)
        if (message.id === id) resolve(message.result)
      })
      socket.send(JSON.stringify({ id, method }))
    })
  const usage = await call(1, 'Runtime.getHeapUsage')
  socket.close()
  return usage
}

async function big(start, directory, rows) {
  let running = await start(directory, { dimension: D, inspect: true })
  try {
    let began = performance.now()
    for (let at = 0; at < rows; at += 500) {
      const count = Math.min(500, rows - at)
      const block = generate('uniform', D, at, at + count)
      await demand(running.url, 'big/upsert', {
        collection: 'c',
        records: Array.from({ length: count }, (_, i) => ({
          id: `${at + i}`,
          vector: Array.from(block.subarray(i * D, i * D + D)),
        })),
      })
    }
    say(`  ${rows} rows written in ${((performance.now() - began) / 1000).toFixed(1)} s`)
    const query = () => Array.from({ length: D }, () => Math.random() - 0.5)
    const report = async (when) => {
      const { memoryBytes, codedRows } = await demand(running.url, 'big/stats')
      const heap = running.inspector && (await heapOf(running.inspector))
      const total = memoryBytes + (heap?.usedSize ?? 0)
      say(
        `  ${when}: wasm ${(memoryBytes / 1e6).toFixed(1)} MB, V8's heap ` +
          `${((heap?.usedSize ?? 0) / 1e6).toFixed(1)} MB, together ${(total / 1e6).toFixed(1)} MB of 128; ` +
          `${codedRows} rows have codes`,
      )
      return total
    }
    const totals = [await report('after writing')]
    await running.kill()
    began = performance.now()
    running = await start(directory, { dimension: D, inspect: true })
    const started = performance.now()
    await demand(running.url, 'big/search', { vector: query(), topK: TOP })
    const first = performance.now() - started
    say(
      `  started anew: the process ${(started - began).toFixed(0)} ms, then the first search ${first.toFixed(0)} ` +
        'ms, opening included',
    )
    const times = []
    for (let i = 0; i < 200; i++) {
      const at = performance.now()
      await demand(running.url, 'big/search', { vector: query(), topK: TOP })
      times.push(performance.now() - at)
    }
    say(`  searches after that: p50 ${median(times).toFixed(1)} ms, p95 ${percentile(times, 0.95).toFixed(1)} ms`)
    totals.push(await report('after opening and 200 searches'))
    return { most: Math.max(...totals), first }
  } finally {
    await running.kill()
  }
}

main(async () => {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '120' },
      rows: { type: 'string', default: '20000' },
      big: { type: 'string', default: '100000' },
      place: { type: 'string', default: 'workerd' },
    },
  })
  const start = PLACES[values.place]
  if (!start) throw new Trouble(`--place is one of ${Object.keys(PLACES)}`)
  const root = mkdtempSync(join(tmpdir(), 'nidus-load-'))
  const problems = []
  try {
    if (Number(values.seconds) > 0) {
      say(`${values.place}, ${values.rows} rows of ${D}, ${values.seconds} s of mixed load`)
      mkdirSync(join(root, 'load'))
      const running = await start(join(root, 'load'), { dimension: D })
      try {
        const { ratio, memory } = await load(running.url, Number(values.rows), Number(values.seconds))
        if (ratio > 5) problems.push(`p95 is ${ratio.toFixed(1)} x p50, more than 5`)
        if (memory > 1.1) problems.push(`wasm memory grew to ${memory.toFixed(2)} x, more than 1.1`)
      } finally {
        await running.kill()
      }
    }
    if (Number(values.big) > 0) {
      say(`${values.place}, ${values.big} rows of ${D} in one store`)
      mkdirSync(join(root, 'big'))
      const { most, first } = await big(start, join(root, 'big'), Number(values.big))
      if (most > 128 * 2 ** 20) problems.push(`${(most / 2 ** 20).toFixed(0)} MiB are more than an isolate has`)
      if (first > 2000) problems.push(`the first answer took ${first.toFixed(0)} ms, more than 2 s`)
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
  if (problems.length) throw new Trouble(problems.join('\n'))
})
