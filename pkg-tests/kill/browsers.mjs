// The kill loops in browsers. A browser is started without a driver, as a person starts it, because a driver starts
// slowly and has processes of its own.
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium as settings, present } from '../../scripts/browsers.mjs'
import { browse, installed as webkit } from '../webkit/driver.mjs'
import { killLoop, sleep } from './loop.mjs'
import { serve } from './serve.mjs'

/** Returns the processes of a group that are still running, with their command lines. */
function members(group) {
  if (process.platform !== 'linux') {
    try {
      process.kill(-group, 0)
      return [{ pid: group, command: '' }]
    } catch {
      return []
    }
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
        const [state, , itsGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        if (Number(itsGroup) !== group || state === 'Z' || state === 'X') return []
        return [{ pid: Number(pid), command: readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ') }]
      } catch {
        return [] // The process has ended meanwhile.
      }
    })
}

function threads(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => readFileSync(`/proc/${pid}/task/${thread}/comm`, 'latin1'))
  } catch {
    return []
  }
}

/** Starts a process group: the browser and all processes that it starts. */
function launch(command, env, log) {
  const said = log ? openSync(log, 'a') : 'ignore'
  const child = spawn(command[0], command.slice(1), {
    detached: true,
    stdio: ['ignore', 'ignore', said],
    env: { ...process.env, ...env },
  })
  if (log) closeSync(said)
  child.on('error', () => {})
  return {
    members: () => members(child.pid),
    async kill() {
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It is gone already.
      }
      while (members(child.pid).length) await sleep(10)
    },
  }
}

const BROWSERS = {
  chromium: {
    path: () => present().chromium,
    kills: process.platform === 'linux' ? ['browser', 'tab', 'worker'] : ['browser', 'worker'],
    async launch(url, profile) {
      for (const name of readdirSync(profile))
        if (/^(Singleton|DevToolsActivePort)/.test(name)) rmSync(join(profile, name), { force: true })
      const flags = [
        '--remote-debugging-port=0',
        '--disable-breakpad',
        '--disable-hang-monitor',
        '--no-default-browser-check',
        '--hide-crash-restore-bubble',
        '--enable-logging=stderr',
      ]
      return launch([this.path(), ...settings.args, ...flags, `--user-data-dir=${profile}`, url], {}, `${profile}.log`)
    },
    /** Kills every renderer that has a dedicated worker. Returns a function that opens the page again. */
    async killTab(browser, profile, url) {
      const port = readFileSync(join(profile, 'DevToolsActivePort'), 'latin1').split('\n')[0]
      const ask = async (path, method) => (await fetch(`http://127.0.0.1:${port}/json/${path}`, { method })).text()
      const worker = ({ pid, command }) =>
        command.includes('--type=renderer') && threads(pid).some((name) => name.startsWith('DedicatedWorker'))
      for (const { pid } of browser.members().filter(worker)) process.kill(pid, 'SIGKILL')
      const old = JSON.parse(await ask('list')).filter(({ type }) => type === 'page')
      // The new tab keeps the browser open. The old tab is closed, because it may have had no worker yet and so was not
      // killed.
      await ask('new?about:blank', 'PUT')
      for (const { id } of old) await ask(`close/${id}`)
      return () => ask(`new?${encodeURIComponent(url)}`, 'PUT')
    },
  },
  firefox: {
    path: () => present().firefox,
    kills: ['browser', 'worker'],
    slowness: 3,
    async launch(url, profile) {
      for (const name of ['lock', '.parentlock']) rmSync(join(profile, name), { force: true })
      const off = [
        'browser.shell.checkDefaultBrowser',
        'browser.sessionstore.resume_from_crash',
        'browser.aboutwelcome.enabled',
        'browser.newtabpage.enabled',
        'browser.newtab.preload',
        'places.history.enabled',
        'datareporting.policy.dataSubmissionEnabled',
        'app.update.enabled',
        'app.normandy.enabled',
        'network.captive-portal-service.enabled',
        'network.connectivity-service.enabled',
        'extensions.update.enabled',
        'browser.safebrowsing.downloads.enabled',
      ]
      // Otherwise the browser opens the page a second time, hidden and with another storage, to take a picture for its
      // start page. This second page would never answer, or would find an empty store.
      const on = ['browser.pagethumbnails.capturing_disabled']
      const prefs = {
        ...Object.fromEntries(off.map((name) => [name, false])),
        ...Object.fromEntries(on.map((name) => [name, true])),
        'toolkit.startup.max_resumed_crashes': -1,
        'browser.startup.page': 0,
        'browser.startup.homepage_override.mstone': 'ignore',
      }
      writeFileSync(
        join(profile, 'user.js'),
        Object.entries(prefs)
          .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`)
          .join(''),
      )
      return launch([this.path(), '--headless', '--no-remote', '--profile', profile, url], {
        MOZ_CRASHREPORTER_DISABLE: '1',
      })
    },
  },
  webkit: {
    path: () => webkit()?.browser,
    kills: ['browser', 'worker'],
    launch: (url, profile) => browse(url, profile),
  },
}

/**
 * Returns the kill loop of a browser and a kind of storage. One cycle in `hard` kills the whole browser. The others
 * kill only the tab or the worker, which is quicker.
 */
const browserLoop =
  (name, storage) =>
  async ({ cycles, seed, say, sabotage, hard = 2 }) => {
    const kind = BROWSERS[name]
    const directory = mkdtempSync(join(tmpdir(), `nidus-kill-${name}-`))
    const profile = join(directory, 'profile')
    mkdirSync(profile)
    const site = await serve()
    const url =
      `${site.origin}/pkg-tests/kill/page.html?` +
      new URLSearchParams({ storage, seed: String(seed), sabotage: sabotage ?? '' })
    const soft = kind.kills.filter((kill) => kill !== 'browser')
    const kills = Object.fromEntries(kind.kills.map((kill) => [kill, 0]))
    let browser
    let again // opens a page again, if the browser has survived the kill
    try {
      const figures = await killLoop({
        cycles,
        seed,
        say,
        sabotage,
        name: `${name}-${storage}`,
        slowness: kind.slowness,
        async start({ inbox, cycle, r }) {
          if (!browser) browser = await kind.launch(url, profile)
          else await again?.()
          again = undefined
          const page = await site.page(`${name}-${storage}: a page`)
          inbox.saw.push(...page.saw)
          page.onMessage = inbox.receive
          const how = cycle > 0 && r.int(hard) === 0 ? 'browser' : r.pick(soft)
          return {
            send: page.send,
            async kill() {
              if (cycle > 0) kills[how]++
              if (how === 'browser') {
                await browser.kill()
                browser = undefined
              } else if (how === 'tab') again = await kind.killTab(browser, profile, url)
              else page.send({ terminate: true })
              await page.gone
              return how
            },
          }
        },
      })
      await browser?.kill()
      browser = undefined
      rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
      return { ...figures, ...kills }
    } catch (error) {
      const history = error.history?.map((cycle) => `\n  ${JSON.stringify(cycle)}`).join('')
      error.message += ` (profile kept in ${directory}: ${history})`
      throw error
    } finally {
      await browser?.kill()
      await site.close()
    }
  }

const loop = (name, storage) => [
  `${name}-${storage}`,
  { run: browserLoop(name, storage), lack: () => (BROWSERS[name].path() ? undefined : `${name} is not installed`) },
]
export const loops = Object.fromEntries([
  loop('chromium', 'opfs'),
  loop('chromium', 'indexeddb'),
  loop('firefox', 'opfs'),
  loop('firefox', 'indexeddb'),
  loop('webkit', 'indexeddb'),
])
