// The options of `npm run bench`.
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { at, Trouble } from '../scripts/lib.mjs'
import { CASES } from './cases/list.mjs'
import { SYNTHETIC } from './data/rows.mjs'
import { chosen, PEERS } from './peers/list.mjs'

export const HELP = `npm run bench -- [options]
  --case NAME,...      only these cases: ${Object.keys(CASES).join(', ')}
  --only PEER,...      only these peers, by id (bench/peers/list.mjs)
  --runtime NAME,...   node, chromium
  --rows N,...         sizes, from 1000 (default 1000,20000,100000; the case "real": 20000, 60000 and all)
  --input NAME,...     ${SYNTHETIC.join(', ')}, real
  --data DIR           the folder with the rows of the input "real"; or \`wordnet\`, which is made if it is not there:
                       117,791 senses of WordNet, embedded in about an hour of two processors, once
  --built              measures the dist/ that is there, without a build
  --quick              fewer and smaller measurements, for a first look
  --million            also the case "million"
  --million-rows N     the rows of the case "million", and the most of "growth" and "open" with it, for a trial
  --patience SECONDS   the time limit for filling one peer
  --out DIR            where results go (a run with --case or --only: target/bench/results; else bench/results)
  --docs               also write the section of docs/performance.md`

const RUNTIMES = ['node', 'chromium']
const list = (text) => text?.split(',').filter(Boolean)

function checkNames(given, known, option) {
  const unknown = given?.find((word) => !known.some((good) => good === word || good.startsWith(`${word}-`)))
  if (unknown) throw new Trouble(`--${option}: ${unknown} is none of ${known.join(', ')}`)
}

/** Returns the names of the cases to run. */
function casesOf({ only, million, data, ...values }) {
  const named = list(values.case)
  checkNames(named, Object.keys(CASES), 'case')
  const lacking = named?.find((name) => CASES[name].ofReal && !data)
  if (lacking) throw new Trouble(`--case ${lacking}: it needs real rows. Say --data wordnet, or --data DIR`)
  const ours = chosen(list(only)).some(({ id }) => id === 'nidus')
  return Object.keys(CASES).filter((name) => {
    const { onRequest, ofNidus, ofReal } = CASES[name]
    if ((ofNidus && !ours) || (ofReal && !data)) return false
    return named ? named.includes(name) : !onRequest || million
  })
}

export function optionsOf(args) {
  const type = (name) => (['quick', 'million', 'built', 'docs', 'help'].includes(name) ? 'boolean' : 'string')
  const names = ['case', 'only', 'runtime', 'rows', 'input', 'data', 'quick', 'million', 'million-rows', 'patience']
  const options = Object.fromEntries(
    [...names, 'built', 'out', 'docs', 'help'].map((name) => [name, { type: type(name) }]),
  )
  const { values } = parseArgs({ args, options })
  const { quick = false } = values
  const rows = (list(values.rows) ?? (quick ? ['1000', '5000'] : ['1000', '20000', '100000'])).map(Number)
  const million = Number(values['million-rows'] ?? 1_000_000)
  const inputs = list(values.input) ?? [...(quick ? ['uniform'] : SYNTHETIC), ...(values.data ? ['real'] : [])]
  const runtimes = list(values.runtime) ?? RUNTIMES
  if (!rows.every((count) => Number.isInteger(count) && count >= 1000))
    throw new Trouble('--rows: whole numbers from 1000, with commas between')
  if (!Number.isInteger(million) || million < 1000) throw new Trouble('--million-rows: a whole number from 1000')
  const ids = PEERS.map(({ id }) => id)
  checkNames(list(values.only), ids, 'only')
  checkNames(inputs, [...SYNTHETIC, 'real'], 'input')
  checkNames(runtimes, RUNTIMES, 'runtime')
  if (inputs.includes('real') && !values.data) throw new Trouble('--input real: --data says where the rows are')
  const partial = values.case || values.only
  const cases = casesOf(values)
  if (cases.length === 0) throw new Trouble('no case is left: these cases measure nidus-wasm, which --only leaves out')
  return {
    help: values.help,
    cases,
    peers: chosen(list(values.only)),
    runtimes,
    rows: rows.sort((a, b) => a - b),
    // The case "real" has sizes of its own, unless some are given.
    given: values.rows && rows,
    most: Math.max(...rows),
    million,
    inputs,
    data: values.data,
    quick,
    built: values.built,
    patience: 1000 * Number(values.patience ?? (quick ? 60 : 400)),
    rounds: quick ? 3 : 5,
    builds: quick ? 1 : 3,
    queries: quick ? 60 : 200,
    turn: quick ? 500 : 1500,
    docs: values.docs && at('docs/performance.md'),
    out: values.out
      ? resolve(values.out)
      : partial
        ? at('target/bench/results')
        : fileURLToPath(new URL('results', import.meta.url)),
  }
}
