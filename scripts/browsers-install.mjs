// Chromium, Firefox and chromedriver for the tests: those of the machine, else Debian's, else Playwright's downloads.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { aptInstall, canApt } from './apt.mjs'
import { at, cache, filesUnder, run, say, step, Trouble, which } from './lib.mjs'

/** Looks for browsers again. browsers.mjs looks only once, when it is imported, so it is imported anew. */
const look = async () => import(`./browsers.mjs?${performance.now()}`)

export async function installBrowsers() {
  await installChromiumAndFirefox()
  await installWebkit()
}

/**
 * Installs WebKitGTK and its driver from Debian's packages, which are the only source. Without them the tests in WebKit
 * are skipped and say so.
 */
async function installWebkit() {
  if (which('WebKitWebDriver') && which('Xvfb') && which('dbus-daemon')) return
  const cannot = (why) => say(`! no WebKitGTK (${why}): the tests in it will be skipped`)
  if (!(await canApt())) return cannot('it comes with apt on Debian only')
  const wanted = ['webkit2gtk-driver', 'xvfb', 'xauth', 'dbus']
  await step(`apt-get install ${wanted.join(' ')}`, () => aptInstall(wanted)).catch(({ message }) =>
    cannot(message.split('\n').at(-1)),
  )
}

async function installChromiumAndFirefox() {
  let browsers = await look()
  const missing = () =>
    Object.entries(browsers.present())
      .filter(([, path]) => !path)
      .map(([name]) => name)
  if (missing().length === 0 && browsers.webdriver()) return
  if (await canApt()) {
    const wanted = [
      ...(which('chromium') ? [] : ['chromium']),
      ...(which('chromedriver') ? [] : ['chromium-driver']),
      ...(which('firefox-esr') ? [] : ['firefox-esr']),
    ]
    await step(`apt-get install ${wanted.join(' ')}`, () => aptInstall([...wanted, 'fonts-liberation']))
    browsers = await look()
  }
  const lacking = missing()
  if (lacking.length) {
    const cli = at('node_modules/playwright/cli.js')
    await step(`playwright install ${lacking.join(' ')}`, () =>
      run(process.execPath, [cli, 'install', ...lacking], { quiet: true }),
    )
    browsers = await look()
    if (missing().length) throw new Trouble(`Still no ${missing().join(', ')}: the browser tests need it.`)
  }
  if (!browsers.webdriver()) await downloadChromedriver()
}

/**
 * Downloads chromedriver together with a Chrome of the same version, because it drives no other version. If that fails,
 * one suite is skipped and says so.
 */
async function downloadChromedriver() {
  const dir = cache('chrome')
  const get = (what) =>
    run('npx', ['--yes', '@puppeteer/browsers@2.13.2', 'install', `${what}@stable`, '--path', dir], {
      quiet: true,
      mayFail: true,
      timeout: 300_000,
    })
  const codes = await step('download chromedriver and its Chrome', async () => [
    (await get('chromedriver')).code,
    (await get('chrome-headless-shell')).code,
  ])
  const find = (name) => filesUnder(dir, (path) => new RegExp(`/${name}(\\.exe)?$`).test(path)).at(-1)
  const [driver, binary] = [find('chromedriver'), find('chrome-headless-shell')]
  if (codes.every((code) => code === 0) && driver && binary) {
    writeFileSync(cache('chromedriver.json'), JSON.stringify({ driver: join(dir, driver), binary: join(dir, binary) }))
  } else say('! no chromedriver could be had: the wasm-bindgen-test suite in Chromium will be skipped')
}
