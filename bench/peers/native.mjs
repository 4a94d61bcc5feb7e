// Native nidus 0.3.0, built by the project's toolchain: once for the default target, once for this processor.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { at, run, step } from '../../scripts/lib.mjs'
import { toolchain } from '../../scripts/toolchain.mjs'
import { Calls } from '../runtimes/calls.mjs'

const crate = fileURLToPath(new URL('native', import.meta.url))
const FLAGS = { default: [], native: ['-Ctarget-cpu=native'] }

async function built(which) {
  const { native: rust } = await toolchain({ mayInstall: true })
  const target = at('target/bench-native', which)
  const args = [...rust.select, 'build', '--locked', '--release', '--manifest-path', join(crate, 'Cargo.toml')]
  // The encoded form takes precedence over a RUSTFLAGS that the user may have set.
  const env = { ...rust.env, CARGO_TARGET_DIR: target, CARGO_ENCODED_RUSTFLAGS: FLAGS[which].join('\x1f') }
  await step(`cargo build of native nidus (${FLAGS[which].join(' ') || 'default target'})`, () =>
    run(rust.cargo, args, { env, quiet: true }),
  )
  return join(target, 'release', process.platform === 'win32' ? 'nidus-bench.exe' : 'nidus-bench')
}

const programs = new Map()

export const native = (which) => ({
  async channel() {
    if (!programs.has(which)) programs.set(which, built(which))
    const child = spawn(await programs.get(which), { stdio: ['pipe', 'pipe', 'ignore'] })
    const calls = new Calls((message) => child.stdin.write(`${JSON.stringify(message)}\n`))
    createInterface({ input: child.stdout }).on('line', (line) => calls.answer(JSON.parse(line)))
    child.stdin.on('error', () => {})
    child.on('error', (cause) => calls.fail(String(cause)))
    child.on('exit', (code, signal) => calls.fail(`native nidus ended (${signal ?? code})`))
    return { call: (op, args, patience) => calls.call(op, args, patience), end: () => void child.kill('SIGKILL') }
  },
})
