// Fuzzing: node scripts/fuzz.mjs [--minutes 10] [--jobs 1] [--minimize] [targets ...]. Needs cargo-fuzz and a nightly
// Rust. Each target begins with the inputs in tests/fuzz/corpus, which `cargo test` replays. It keeps new inputs in
// fuzz/corpus. `--minimize` does not fuzz: it writes a small set of inputs with the same coverage to tests/fuzz/corpus,
// for the next commit.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ask, at, main, run, say, seconds, sha, Trouble, writeFile } from './lib.mjs'

/** The greatest length of each target's inputs, in bytes. Inputs of this length still run in a reasonable time. */
const LONGEST = { log: 1024, data: 600, ops: 500, glob_filter: 400, segment: 300 }
/** An input that takes longer, or needs more memory, counts as a fault. The limits are in seconds and MB. */
const LIMITS = ['-timeout=20', '-rss_limit_mb=1024', '-malloc_limit_mb=256']

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '10' },
    jobs: { type: 'string', default: '1' },
    minimize: { type: 'boolean', default: false },
  },
})

const found = (target) => at('fuzz/corpus', target)
const kept = (target) => at('tests/fuzz/corpus', `${target}.txt`)
const artifacts = (target) => at('fuzz/artifacts', target)
/**
 * Returns the arguments for cargo. There is no sanitizer: the code forbids `unsafe`, so it would find nothing and only
 * cost time.
 */
const fuzz = (command, ...args) => ['+nightly', 'fuzz', command, '--fuzz-dir', at('fuzz'), '-s', 'none', ...args]

const lines = (target) =>
  existsSync(kept(target)) ? readFileSync(kept(target), 'utf8').split('\n').filter(Boolean) : []

/** Writes the corpus as the fuzzer needs it: one file for each input. */
function unpack(target) {
  for (const dir of [found(target), artifacts(target)]) mkdirSync(dir, { recursive: true })
  const inputs = lines(target).filter((line) => !line.startsWith('#'))
  for (const input of inputs) writeFileSync(join(found(target), sha(input).slice(0, 12)), Buffer.from(input, 'hex'))
}

async function search(target, minutes) {
  const start = performance.now()
  unpack(target)
  const limits = [
    `-max_total_time=${Math.round(minutes * 60)}`,
    `-max_len=${LONGEST[target]}`,
    ...LIMITS,
    '-print_final_stats=1',
  ]
  const args = fuzz('run', target, found(target), '--', ...limits)
  const { code, output } = await run('cargo', args, { quiet: true, mayFail: true })
  const last = (pattern) => [...output.matchAll(pattern)].at(-1)
  const [, cov, ft] = last(/cov: (\d+) ft: (\d+)/g) ?? []
  const [, executions] = last(/number_of_executed_units: (\d+)/g) ?? []
  if (code !== 0) {
    const from = output.search(/\nthread .* panicked|ERROR: libFuzzer|^error/m)
    say(`\n${output.slice(Math.max(from, 0)).split('\n').slice(0, 60).join('\n')}\n`)
    say(`What fails lies in ${artifacts(target)}: ${readdirSync(artifacts(target)).join(', ')}`)
  }
  return {
    target,
    executions,
    cov,
    ft,
    inputs: readdirSync(found(target)).length,
    time: seconds(start),
    how: code === 0 ? 'nothing found' : 'FOUND',
  }
}

/**
 * Writes a small set of inputs with the same coverage to tests/fuzz/corpus. It keeps the inputs that once failed, each
 * under its comment.
 */
async function minimize(target) {
  unpack(target)
  const into = mkdtempSync(join(tmpdir(), 'nidus-fuzz-'))
  // The fuzzer counts which branches an input takes, and not how often. Otherwise thousands of inputs would remain.
  await run(
    'cargo',
    fuzz('run', target, into, found(target), '--', '-merge=1', '-use_counters=0', `-max_len=${LONGEST[target]}`),
    { quiet: true },
  )
  const inputs = readdirSync(into).map((name) => readFileSync(join(into, name)).toString('hex'))
  rmSync(into, { recursive: true })
  const failed = lines(target).filter((line, n, all) => line.startsWith('#') || all[n - 1]?.startsWith('#'))
  const rest = inputs
    .filter((input) => input && !failed.includes(input))
    .sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
  writeFile(kept(target), `${[...failed, ...rest].join('\n')}\n`)
  say(`  ${target}: ${rest.length} inputs, ${rest.join('').length / 2} bytes`)
}

main(async () => {
  const targets = positionals.length ? positionals : Object.keys(LONGEST)
  const unknown = targets.filter((target) => !LONGEST[target])
  if (unknown.length)
    throw new Trouble(`no such target: ${unknown.join(', ')}; there are ${Object.keys(LONGEST).join(', ')}`)
  const minutes = Number(values.minutes)
  const jobs = Number(values.jobs)
  if (!(minutes > 0 && jobs >= 1)) throw new Trouble('--minutes and --jobs take positive numbers')
  if (!(await ask('cargo', '+nightly', 'fuzz', '--version'))) {
    throw new Trouble(
      'Fuzzing needs a nightly Rust and cargo-fuzz:\n  rustup toolchain install nightly --profile minimal\n  cargo ' +
        'install cargo-fuzz --version 0.13.2',
    )
  }
  await run('cargo', fuzz('build'), { quiet: true })
  if (values.minimize) {
    for (const target of targets) await minimize(target)
    return 0
  }
  const waiting = [...targets]
  const results = []
  const worker = async () => {
    for (let target; (target = waiting.shift());) {
      say(`· ${target}: ${minutes} minutes ...`)
      results.push(await search(target, minutes))
    }
  }
  await Promise.all(Array.from({ length: jobs }, worker))
  for (const { target, executions, cov, ft, inputs, time, how } of results) {
    say(`  ${target.padEnd(12)} ${how}; ${executions} executions, cov ${cov}, ft ${ft}, ${inputs} inputs kept, ${time}`)
  }
  return results.every(({ how }) => how === 'nothing found') ? 0 : 1
})
