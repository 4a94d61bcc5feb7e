// Runs each peer in a process of Node. So each has its own heap, and if one dies, the others continue.
import { fork, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { at } from '../../scripts/lib.mjs'
import { Calls } from './calls.mjs'

const script = fileURLToPath(new URL('../inside/node.mjs', import.meta.url))

/**
 * Returns the flags with which this Node runs the module with relaxed SIMD rightly. Node 20 has the instruction behind
 * a flag, and its quick compiler compiles it wrongly at first. Undefined if it does not run at all.
 */
function relaxedFlags() {
  const flags =
    Number(process.versions.v8.split('.')[0]) < 12 ? ['--experimental-wasm-relaxed-simd', '--no-liftoff'] : []
  const validates = `process.exit(WebAssembly.validate(fs.readFileSync(process.argv[1])) ? 0 : 1)`
  const args = [...flags, '--eval', validates, at('dist/nidus-relaxed.wasm')]
  return spawnSync(process.execPath, args, { stdio: 'ignore' }).status === 0 ? flags : undefined
}

/** `channel(flags)` starts a process with further flags of V8. */
export const node = ({ wall }) => ({
  name: 'node',
  inPage: false,
  relaxed: relaxedFlags(),
  async channel(flags = []) {
    const child = fork(script, {
      serialization: 'advanced',
      execArgv: [...flags, '--expose-gc', '--max-old-space-size=8192', '--no-warnings'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, BENCH_WALL: wall },
    })
    const calls = new Calls((message) => child.send(message))
    let said = ''
    child.stderr.on('data', (text) => (said = `${said}${text}`.slice(-2000)))
    child.on('message', (message) => calls.answer(message))
    child.on('exit', (code, signal) =>
      calls.fail(`the peer's process ended (${signal ?? code}) ${said.trim().split('\n').at(-1) ?? ''}`),
    )
    return { call: (op, args, patience) => calls.call(op, args, patience), end: () => void child.kill('SIGKILL') }
  },
  async close() {},
})
