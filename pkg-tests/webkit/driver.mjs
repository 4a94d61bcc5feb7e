// Runs WebKitGTK's MiniBrowser: driven by W3C WebDriver, or without a driver and with a profile that is kept. Needs no
// npm package.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { which } from '../../scripts/lib.mjs'

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

function miniBrowser() {
  for (const lib of [
    '/usr/lib',
    '/usr/libexec',
    ...(existsSync('/usr/lib') ? readdirSync('/usr/lib').map((name) => join('/usr/lib', name)) : []),
  ]) {
    for (const api of ['webkit2gtk-4.1', 'webkitgtk-6.0', 'webkit2gtk-4.0']) {
      const path = join(lib, api, 'MiniBrowser')
      if (existsSync(path)) return path
    }
  }
  return undefined
}

/** Returns the programs that are needed, or undefined if one is missing. */
export function installed() {
  const driver = which('WebKitWebDriver')
  const browser = miniBrowser()
  return driver && browser && (process.env.DISPLAY || which('Xvfb')) ? { driver, browser } : undefined
}

/** Without this, GTK starts a message bus and its services. They outlive the browser and keep its screen open. */
const ALONE = { DBUS_SESSION_BUS_ADDRESS: 'disabled:', NO_AT_BRIDGE: '1', GTK_A11Y: 'none' }

/** Starts a process group, so that ending the group ends all of the browser's processes. */
function group(command, env) {
  const child = spawn(command[0], command.slice(1), {
    detached: true,
    stdio: 'ignore',
    env: { ...process.env, ...ALONE, ...env },
  })
  const exited = new Promise((resolve) => {
    child.on('exit', resolve)
    child.on('error', resolve)
  })
  const signal = (name) => {
    try {
      process.kill(-child.pid, name)
    } catch {
      // The process has ended already.
    }
  }
  return { exited, signal }
}

/**
 * Starts a screen for one browser, unless there is one. It ends by itself when its last client ends, even if this
 * process was killed.
 */
function display() {
  if (process.env.DISPLAY) return process.env.DISPLAY
  return new Promise((resolve, reject) => {
    const args = ['-displayfd', '3', '-screen', '0', '1024x768x24', '-nolisten', 'tcp', '-terminate']
    const child = spawn(which('Xvfb'), args, { detached: true, stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
    child.on('error', reject)
    child.on('exit', (code) => reject(new Error(`Xvfb ended with ${code}`)))
    child.stdio[3].once('data', (number) => resolve(`:${String(number).trim()}`))
    child.unref()
    child.stdio[3].unref()
  })
}

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

/** Starts a browser under WebDriver. Its storage is kept during the session: it survives reloads, but no restart. */
export async function session() {
  const { driver, browser } = installed()
  const port = await freePort()
  const processes = group([driver, `--port=${port}`], { DISPLAY: await display() })
  const ask = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(body && { body: JSON.stringify(body) }),
    })
    const { value } = await response.json()
    if (!response.ok) throw new Error(`${value?.error}: ${value?.message}`)
    return value
  }
  const stop = async () => {
    processes.signal('SIGTERM')
    await Promise.race([processes.exited, sleep(2000)])
    processes.signal('SIGKILL')
  }
  try {
    let ended = false
    void processes.exited.then(() => (ended = true))
    // Only a fault makes an answer take this long.
    const late = performance.now() + 600_000
    while (
      !(await ask('GET', '/status').then(
        () => true,
        () => false,
      ))
    ) {
      if (ended) throw new Error('WebKitWebDriver ended before it answered')
      if (performance.now() > late) throw new Error('waited 10 minutes for WebKitWebDriver to answer')
      await sleep(50)
    }
    const capabilities = {
      browserName: 'MiniBrowser',
      'webkitgtk:browserOptions': { binary: browser, args: ['--automation'] },
    }
    const { sessionId } = await ask('POST', '/session', { capabilities: { alwaysMatch: capabilities } })
    const at = `/session/${sessionId}`
    await ask('POST', `${at}/timeouts`, { script: 600_000, pageLoad: 600_000 })
    return {
      go: (url) => ask('POST', `${at}/url`, { url }),
      reload: () => ask('POST', `${at}/refresh`, {}),
      /** Runs the text of a function in the page, awaits it, and returns the result as JSON. */
      async run(work, ...args) {
        const script = `const done = arguments[arguments.length - 1]
          Promise.resolve().then(() => (${work})(...[...arguments].slice(0, -1))).then(
            (ok) => done({ ok: ok === undefined ? null : ok }),
            (error) => done({ error: String(error?.code ?? '') + ' ' + String(error) }),
          )`
        const answer = await ask('POST', `${at}/execute/async`, { script, args })
        if ('error' in answer) throw new Error(answer.error)
        return answer.ok
      },
      async end() {
        await ask('DELETE', at).catch(() => {})
        await stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/**
 * Starts a browser without a driver. What the page at `url` stores is in `home`, where the next browser finds it. The
 * page must report its results by itself.
 */
export async function browse(url, home, args = []) {
  const { browser } = installed()
  const env = {
    DISPLAY: await display(),
    HOME: home,
    XDG_DATA_HOME: join(home, 'data'),
    XDG_CACHE_HOME: join(home, 'cache'),
    XDG_CONFIG_HOME: join(home, 'config'),
  }
  const { exited, signal } = group([browser, ...args, url], env)
  return {
    exited,
    async kill() {
      signal('SIGKILL')
      await exited
    },
  }
}
