// Runs examples/server unchanged, in each of its runtimes.
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RUNTIMES } from '../kill/processes.mjs'
import { bundle, serve } from '../workerd/harness.mjs'

const repository = fileURLToPath(new URL('../../', import.meta.url))
export const TOKEN = 'a token of the tests'

/** Copies the example, with the package as after an installation. Returns its folder. */
function installed(directory) {
  const folder = join(directory, 'server')
  if (!existsSync(folder)) {
    cpSync(join(repository, 'examples/server'), folder, { recursive: true })
    const own = join(folder, 'node_modules/nidus-wasm')
    mkdirSync(own, { recursive: true })
    cpSync(join(repository, 'package.json'), join(own, 'package.json'))
    symlinkSync(join(repository, 'dist'), join(own, 'dist'), 'junction')
  }
  return folder
}

const program =
  (runtime, script, ...flags) =>
  async (directory, { dimension, token = TOKEN }) => {
    const folder = installed(directory)
    const [command, ...args] = RUNTIMES[runtime]()
    const env = {
      ...process.env,
      TOKEN: token,
      DIMENSION: `${dimension}`,
      DIRECTORY: join(directory, 'stores'),
      PORT: '0',
      HOSTNAME: '127.0.0.1',
      NO_COLOR: '1',
    }
    const child = spawn(command, [...args, ...flags, script], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const exited = new Promise((resolve) => child.once('exit', resolve))
    const last = () => child.kill('SIGKILL')
    process.once('exit', last)
    void exited.then(() => process.off('exit', last))
    let output = ''
    const url = await new Promise((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text) => {
          output += text
          const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(output) ?? []
          if (found) resolve(found)
        })
      }
      child.once('error', reject)
      void exited.then((code) => reject(new Error(`${runtime} ended (${code}): ${output}`)))
    })
    const end = async (signal) => {
      child.kill(signal)
      return exited
    }
    return {
      url,
      pid: child.pid,
      output: () => output.replace(/^.*http:\/\/127.*\n/m, ''),
      kill: () => end('SIGKILL'),
      stop: () => end('SIGTERM'),
    }
  }

async function workerd(directory, { dimension, token = TOKEN, inspect = false }) {
  if (!existsSync(join(directory, 'worker.js')))
    await bundle(directory, join(repository, 'examples/server/cloudflare.js'))
  return serve(directory, {
    objects: { Index: true },
    date: '2026-05-03',
    vars: { DIMENSION: `${dimension}`, ...(token && { TOKEN: token }) },
    inspect,
  })
}

/** By runtime, a function that starts the service on the stores of a directory. */
export const PLACES = {
  workerd,
  Deno: program('deno', 'deno.js', '--node-modules-dir=manual'),
  Bun: program('bun', 'bun.js'),
}

/** Sends a request as a client would. */
export async function ask(
  url,
  path,
  body,
  { token = TOKEN, method = body === undefined ? 'GET' : 'POST', headers = {} } = {},
) {
  const response = await fetch(`${url}/${path}`, {
    method,
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const type = response.headers.get('content-type') ?? ''
  return {
    status: response.status,
    headers: response.headers,
    body: type.includes('json') ? await response.json() : new Uint8Array(await response.arrayBuffer()),
  }
}
