// The kill loops over files. They kill a process of Node, Deno or Bun.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { at } from '../../scripts/lib.mjs'
import { killLoop } from './loop.mjs'

const WRITER = fileURLToPath(new URL('./process-writer.mjs', import.meta.url))

const own = (...paths) => paths.map((path) => at('node_modules', path)).find(existsSync)

/**
 * Returns for each runtime the command that starts it, or undefined if it is not installed. The commands start the
 * programs themselves. If a wrapper started them, only the wrapper would be killed.
 */
export const RUNTIMES = {
  node: () => [process.execPath],
  deno: () => {
    const platform = `${process.platform}-${process.arch}`
    const deno = own(`@deno/${platform}-glibc/deno`, `@deno/${platform}/deno`, `@deno/${platform}/deno.exe`)
    return deno && [deno, 'run', '-A', '--no-config']
  },
  bun: () => {
    const system = process.platform === 'win32' ? 'windows' : process.platform
    const platform = `${system}-${process.arch === 'arm64' ? 'aarch64' : process.arch}`
    // The install script moves the program to this name, on every platform.
    const bun = own(`@oven/bun-${platform}/bin/bun`, `@oven/bun-${platform}/bin/bun.exe`, 'bun/bin/bun.exe')
    return bun && [bun]
  },
}

function startProcess(command, directory, seed, sabotage, inbox) {
  const [program, ...args] = [...command, WRITER, directory, String(seed), sabotage ?? '']
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, NO_COLOR: '1' } })
  const exited = new Promise((resolve) => child.once('close', resolve))
  // The process may be dead already when a message is sent to it.
  child.stdin.on('error', () => {})
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    exited.then((code) => reject(new Error(`${program} ended with ${code} before it said anything`)))
    createInterface({ input: child.stdout }).on('line', (line) => {
      let message
      try {
        message = JSON.parse(line)
      } catch {
        return // the kill cut this line off, so it is no message
      }
      if (!message.hello) return inbox.receive(message)
      resolve({
        send: (message) => child.stdin.write(`${JSON.stringify(message)}\n`),
        kill: async () => {
          child.kill('SIGKILL')
          await exited
        },
      })
    })
  })
}

const fsLoop =
  (runtime) =>
  async ({ cycles, seed, say, sabotage }) => {
    const command = RUNTIMES[runtime]()
    const directory = mkdtempSync(join(tmpdir(), `nidus-kill-${runtime}-`))
    const store = join(directory, 'store')
    try {
      return await killLoop({
        cycles,
        seed,
        say,
        sabotage,
        name: `${runtime}-fs`,
        start: ({ inbox, sabotage }) => startProcess(command, store, seed, sabotage, inbox),
        // An opening removes the files that the killed process left.
        inspect() {
          const left = readdirSync(store).sort().join(' ')
          if (!/^data lock log( words)?$/.test(left))
            throw new Error(`in the directory of an open store there are: ${left}`)
        },
      })
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }

export const loops = Object.fromEntries(
  Object.keys(RUNTIMES).map((runtime) => [
    `${runtime}-fs`,
    { run: fsLoop(runtime), lack: () => (RUNTIMES[runtime]() ? undefined : `${runtime} is not installed`) },
  ]),
)
