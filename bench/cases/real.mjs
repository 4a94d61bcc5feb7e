// Every question over real rows: how this package does with each of them, beside the memory wall and scans of all f32.
// The plain module and the one with relaxed SIMD take turns in the same run.
import { say, step } from '../../scripts/lib.mjs'
import { sizesOf, specOf, WARM_UP } from '../data/files.mjs'
import { shuffledOrder } from '../data/rows.mjs'
import { median, percentile } from '../data/statistics.mjs'
import { dot, judge, truthAt } from '../data/truth.mjs'
import { firstSearches } from './first.mjs'
import { Wrong } from './wrong.mjs'

export const title = 'questions over real rows'
export const ofNidus = true
export const ofReal = true

const SIZES = [20_000, 60_000]
/** The number of questions in a turn. Another peer then has its turn. */
const TURN = 50
/** A scan takes the same time for each question. So it is asked fewer of them in a turn. */
const FEW = 6
/** The searches at the start of a turn that do not count, because another peer has used the processor's caches. */
const AGAIN = 3

const LANES = [
  { id: 'wall', label: 'memory wall', file: 'wall', scan: true },
  { id: 'loop', label: 'f32 scan by hand (JavaScript)', file: 'loop', scan: true },
  { id: 'segment', label: 'f32 scan of this package (Segment)', file: 'segment', scan: true },
  { id: 'plain', label: 'nidus-wasm, plain module', file: 'nidus', name: 'plain' },
  { id: 'relaxed', label: 'nidus-wasm, relaxed-SIMD module', file: 'nidus', name: 'relaxed' },
]

export async function run({ runtime, inputs, options }) {
  const input = inputs.find(({ kind }) => kind === 'real')
  if (!input) return []
  const sizes = sizesOf(input, options.given ?? [...SIZES, input.count])
  const best = await step('true answers by f64', () => truths(input, sizes))
  const results = []
  for (const size of sizes)
    results.push(await step(`${title}: ${size} rows`, () => measure(runtime, input, size, best.get(size), options)))
  return results
}

/** The true answers are the same in all runtimes, so they are computed once. */
const known = new WeakMap()
function truths(input, sizes) {
  const { vectors: rows, questions: queries, dimension } = input
  if (!known.has(input)) known.set(input, truthAt(sizes, { rows, queries, dimension }))
  return known.get(input)
}

async function measure(runtime, input, size, best, options) {
  const { dimension, vectors, questions } = input
  const count = questions.length / dimension
  const check = (lane, answer) => {
    if (lane.id === 'wall' || answer.which >= count) return
    const score = (row) => dot(vectors, row, dimension, questions, answer.which)
    const { wrong } = judge(best[answer.which], answer, score)
    if (wrong) throw new Wrong(`${lane.label} answered question ${answer.which} over ${size} rows with ${wrong}`)
  }
  const about = { runtime: runtime.name, input: input.name, title: input.title, size, questions: count }
  const lanes = []
  try {
    for (const lane of LANES) lanes.push(await filled(lane, runtime, input, size, count))
    const asking = lanes.filter(({ failed }) => !failed)
    for (let round = 0; round < options.rounds; round++) await ask(asking, round, count, check)
    const first = await firstSearches({ runtime, input, size, scans: asking, check, rounds: options.quick ? 3 : 7 })
    return { ...about, rounds: options.rounds, first, rows: lanes.map((lane) => figures(lane, input.texts)) }
  } finally {
    for (const { channel } of lanes) await channel?.end()
  }
}

/** Fills a lane, makes all codes, and warms it up with other questions. */
async function filled(lane, runtime, input, size, count) {
  const flags = lane.id === 'relaxed' ? runtime.relaxed : []
  if (!flags) return { ...lane, failed: 'this runtime has no relaxed SIMD' }
  const channel = await runtime.channel(flags)
  const spec = specOf(input, size, runtime.inPage, 'asked')
  await channel.call('open', { file: lane.file, name: lane.name ?? 'default', input: spec })
  const { build } = await channel.call('build')
  const coded = lane.scan ? undefined : await channel.call('coded')
  if (coded < size - 16 && size >= 10_000) say(`!   ${lane.label}: only ${coded} of ${size} rows have codes`)
  await channel.call('release')
  const others = Array.from({ length: lane.scan ? WARM_UP / 4 : WARM_UP }, (_, i) => count + i)
  await channel.call('search', { order: others })
  return { ...lane, flags, channel, build, coded, others, times: new Map() }
}

/**
 * Asks each lane all questions once, in turns. Each round has an order of its own. So what comes back at regular times,
 * for instance a garbage collection, does not meet the same question in all rounds.
 */
async function ask(lanes, round, count, check) {
  const questions = shuffledOrder(count, round)
  for (let from = 0, turn = round; from < count; from += TURN, turn++)
    for (let i = 0; i < lanes.length; i++) {
      const lane = lanes[(turn + i) % lanes.length]
      const length = Math.min(lane.scan ? FEW : TURN, count - from)
      const order = [...lane.others.slice(0, AGAIN), ...questions.subarray(from, from + length)]
      const { times, answers } = await lane.channel.call('search', { order })
      for (const [n, answer] of answers.entries()) {
        check(lane, answer)
        if (n >= AGAIN) lane.times.set(answer.which, [...(lane.times.get(answer.which) ?? []), times[n]])
      }
    }
}

/** Returns the figures of a lane. Each question counts with the median of its rounds. */
function figures({ id, label, scan, failed, flags, build, coded, times }, texts) {
  const about = { id, label, scan, failed, flags: flags?.length ? flags : undefined }
  if (failed) return about
  const each = [...times].map(([which, all]) => [which, median(all)])
  const all = each.map(([, ms]) => ms)
  const [which, worst] = each.reduce((one, other) => (other[1] > one[1] ? other : one))
  return {
    ...about,
    build,
    coded,
    search: { p50: median(all), p90: percentile(all, 0.9), p99: percentile(all, 0.99), worst, count: all.length },
    // A scan has no worst question: all take the same time.
    worst: scan ? undefined : { which, text: texts?.[which] },
    curve: scan ? undefined : CURVE.map((part) => [part, percentile(all, part / 100)]),
  }
}
const CURVE = [0, 1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98, 99, 100]
