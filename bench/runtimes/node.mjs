// Runs each peer in a process of Node. So each has its own heap, and if one dies, the others continue.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Calls } from './calls.mjs'

const script = fileURLToPath(new URL('../inside/node.mjs', import.meta.url))

export const node = ({ wall }) => ({
  name: 'node',
  inPage: false,
  async channel() {
    const child = fork(script, {
      serialization: 'advanced',
      execArgv: ['--expose-gc', '--max-old-space-size=8192', '--no-warnings'],
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
