// Searches of all peers. For each input and size, every peer is filled in a process or worker of its own. Then the
// peers are asked in turns, so that other work of the machine slows all of them equally.
import { say } from '../../scripts/lib.mjs'
import { sizesOf, specOf } from '../data/files.mjs'
import { bucketOf } from '../data/rows.mjs'
import { median, summary } from '../data/statistics.mjs'
import { dot, judge, TOP, truth } from '../data/truth.mjs'
import { native } from '../peers/native.mjs'
import { Wrong } from './wrong.mjs'

export const title = 'searches of all peers'

const WANTED = (row) => bucketOf(row) === 3
const WARM_UP = 15
/**
 * The number of searches at the start of each turn that do not count, because another peer has used the processor's
 * caches.
 */
const AGAIN = 2
const MANY = 32

const range = (count, from, of) => Array.from({ length: count }, (_, i) => (from + i) % of)
/** Shortens a message to one line, without paths of this machine. */
const short = (error) =>
  String(error?.message ?? error)
    .split('\n')[0]
    .replace(/(\w+:\/\/)?(\/[^\s/'"]+)+\/(?=[^/\s'"]+)/g, '')
    .slice(0, 160)

export async function run({ runtime, peers, inputs, options }) {
  const results = []
  const asked = peers.filter(({ native }) => !native || !runtime.inPage)
  for (const input of inputs) {
    const earlier = []
    for (const rows of sizesOf(input, options.rows)) {
      say(`\n== ${runtime.name}, ${input.name}, ${rows} rows`)
      const measured = await measure({ runtime, peers: asked, input, rows, options, earlier })
      earlier.push(...measured)
      results.push({ runtime: runtime.name, input: input.name, title: input.title, size: rows, rows: measured })
    }
  }
  return results
}

/** Returns the true answers of an input at a size, with and without the filter. */
function truths({ vectors, rows, dimension, queries }) {
  const part = vectors.subarray(0, rows * dimension)
  const of = (wanted) => truth({ parts: () => [{ rows: part, base: 0 }], dimension, queries, wanted })
  return {
    plain: of(() => true),
    filtered: of(WANTED),
    score: (which) => (row) => dot(part, row, dimension, queries, which),
  }
}

/**
 * Returns the rows of one table: one for each peer, or two if the peer has a setting to tune. `earlier` are the rows of
 * smaller tables. They show which peers would take too long. If another package fails, its row says so. If this package
 * fails, the benchmark ends.
 */
async function measure({ runtime, peers, input, rows, options, earlier }) {
  const count = input.queries.length / input.dimension
  const best = truths({ ...input, rows })
  const channels = []
  const lanes = []
  const done = []
  try {
    for (const peer of peers) {
      const row = { id: peer.id, label: peer.label, package: peer.package, ...peer.facts }
      done.push(row)
      row.failed = hopeless(peer, rows, earlier, options.patience)
      if (!row.failed)
        await attempt(row, async () =>
          lanes.push(...(await started({ peer, row, runtime, input, rows, options, best, count, channels }))),
        )
      say(`    ${peer.label}: ${row.failed ?? `built in ${(row.build / 1000).toFixed(1)} s`}`)
    }
    for (const lane of lanes) {
      await attempt(lane.row, () => ask(lane, best, range(WARM_UP, 0, count), {}))
      Object.assign(lane, { times: [], recalls: [] })
    }
    for (let round = 0; round < options.rounds; round++) {
      for (let turn = 0; turn < lanes.length; turn++) {
        const lane = lanes[(turn + round) % lanes.length]
        if (!lane.row.failed) await attempt(lane.row, () => takeTurn(lane, best, round, count, options))
      }
    }
  } finally {
    for (const channel of channels) await channel.end()
  }
  // A peer with two settings has two rows.
  return done.flatMap((row) => {
    const its = lanes.filter(({ row: { id } }) => id === row.id)
    return its.length ? its.map(figures) : [row]
  })
}

async function attempt(row, work) {
  try {
    await work()
  } catch (error) {
    if (error instanceof Wrong || row.id === 'nidus') throw error
    row.failed = short(error)
  }
}

/** Returns why a peer is not tried at this size: it failed before, or filling it would take too long. */
function hopeless({ id }, rows, earlier, patience) {
  const before = earlier.filter((row) => row.id === id).at(-1)
  if (before?.failed) return before.failed
  const expected = before && before.build * (rows / before.rows) ** (before.growth ?? 1)
  return expected > patience
    ? `not built: ${Math.round(expected / 1000)} s expected ` +
        `(${(before.build / 1000).toFixed(1)} s for ${before.rows.toLocaleString('en')} rows)`
    : undefined
}

/**
 * Opens and fills a peer. Returns one lane for each of its settings, or a single lane. Lanes take turns in being
 * measured.
 */
async function started({ peer, row, runtime, input, rows, options, best, count, channels }) {
  const { patience } = options
  const channel = peer.native ? await native(peer.native).channel() : await runtime.channel()
  channels.push(channel)
  const spec = specOf(input, rows, runtime.inPage && !peer.native)
  const facts = await channel.call('open', { file: peer.file, name: peer.adapter ?? 'default', input: spec }, patience)
  Object.assign(row, facts)
  const builds = [await channel.call('build', {}, patience * 2)]
  // Short builds are repeated, and the median counts. One long build is exact enough.
  while (builds.length < options.builds && builds[0].build < 5_000)
    builds.push(await channel.call('build', {}, patience * 2))
  const of = (name) => median(builds.map((build) => build[name]))
  Object.assign(row, { rows, build: of('build'), start: of('start'), first: builds[0].first })
  if (row.ours) row.settled = await channel.call('settle')
  row.memory = await channel.call('release')
  const settings = row.knob ? await tuned(channel, row, best, count) : [row]
  return settings.map((setting) => ({
    row: setting,
    channel,
    score: best.score,
    times: [],
    filtered: [],
    many: [],
    recalls: [],
    filteredRecalls: [],
  }))
}

/** Measures one turn of a lane. A slow peer is asked fewer queries, but at least three. */
async function takeTurn(lane, best, round, count, options) {
  const most = Math.ceil(options.queries / options.rounds)
  const now = lane.times.length ? median(lane.times) : 0
  const each = Math.max(3, Math.min(most, Math.floor(options.turn / Math.max(now, 0.001))))
  await ask(lane, best, range(each + AGAIN, round * most, count), { skip: AGAIN })
  if (lane.row.wall) return
  if (lane.row.filters !== false)
    await ask(lane, best, range(Math.ceil(each / 2) + AGAIN, round * most, count), { skip: AGAIN, filtered: true })
  await askMany(lane, best, range(MANY, round * most, count))
}

function figures({ row, times, filtered, many, recalls, filteredRecalls }) {
  const mean = (list) => (list.length ? list.reduce((sum, x) => sum + x, 0) / list.length : undefined)
  if (row.failed) return row
  return {
    ...row,
    search: summary(times),
    ...(filtered.length && { filtered: summary(filtered), filteredRecall: mean(filteredRecalls) }),
    ...(many.length && { many: median(many) }),
    ...(!row.wall && { recall: mean(recalls) }),
  }
}

/**
 * Returns two settings: the smallest with a recall of 0.95, and the smallest with 1.00. If none reaches it, the best
 * setting is taken.
 */
async function tuned(channel, row, best, count) {
  const found = []
  for (const value of row.knob.values) {
    const { answers } = await channel.call('search', { order: range(count, 0, count), knob: value })
    const recall =
      answers.reduce(
        (sum, answer) => sum + judge(best.plain[answer.which], answer, best.score(answer.which)).recall,
        0,
      ) / answers.length
    found.push({ value, recall })
    if (recall === 1) break
  }
  const at = (least) =>
    found.find(({ recall }) => recall >= least) ??
    found.reduce((one, other) => (other.recall > one.recall ? other : one))
  return [...new Set([at(0.95), at(1)])].map(({ value }) => ({
    ...row,
    knob: { ...row.knob, value },
    label: `${row.label}, ${row.knob.name} ${value}`,
  }))
}

function check(lane, list, best, answer, wanted) {
  if (lane.row.wall) return
  const { recall, wrong } = judge(best[answer.which], answer, lane.score(answer.which), wanted)
  if (wrong && lane.row.ours) throw new Wrong(`nidus-wasm answered query ${answer.which} with ${wrong}`)
  list.push(recall)
}

async function ask(lane, best, order, { skip = 0, filtered = false }) {
  const { times, answers } = await lane.channel.call('search', { order, filtered, k: TOP, knob: lane.row.knob?.value })
  lane[filtered ? 'filtered' : 'times'].push(...times.slice(skip))
  for (const answer of answers)
    check(
      lane,
      filtered ? lane.filteredRecalls : lane.recalls,
      filtered ? best.filtered : best.plain,
      answer,
      filtered ? WANTED : undefined,
    )
}

async function askMany(lane, best, order) {
  const found = await lane.channel.call('many', { order, k: TOP })
  if (!found) return
  lane.many.push(found.time)
  for (const answer of found.answers) check(lane, lane.recalls, best.plain, answer)
}
