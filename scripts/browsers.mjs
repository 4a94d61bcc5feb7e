// The browsers that the tests drive, and how Playwright starts them. They are looked for when this module is imported,
// because each machine has them at other paths.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cache, readJson, which } from './lib.mjs'

const installed = (...names) => names.map((name) => which(name)).find(Boolean)

const chromiumPath = installed('chromium')
const firefoxPath = installed('firefox-esr')

const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']

/**
 * Options for `chromium.launch` and `chromium.launchPersistentContext`. Without a path Playwright takes the browser
 * that it downloaded.
 */
export const chromium = {
  ...(chromiumPath && { executablePath: chromiumPath }),
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', ...quiet],
}

/** Options for `firefox.launch` and the like. An unmodified Firefox is driven over BiDi, so it needs `channel`. */
export const firefox = {
  ...(firefoxPath && { channel: 'moz-firefox', executablePath: firefoxPath }),
  headless: true,
  // Without these, navigator.storage.persist() never settles in headless Firefox.
  firefoxUserPrefs: { 'dom.storageManager.prompt.testing': true, 'dom.storageManager.prompt.testing.allow': true },
}

/**
 * Returns the path of each browser, or undefined if it is not installed. A browser that Playwright has downloaded
 * counts.
 */
export function present() {
  const own = (name) => {
    try {
      const playwright = createRequire(import.meta.url)('playwright')
      const path = playwright[name].executablePath()
      return existsSync(path) ? path : undefined
    } catch {
      return undefined // before `npm ci` there is no Playwright, and so no browser that it downloaded
    }
  }
  return { chromium: installed('chromium') ?? own('chromium'), firefox: installed('firefox-esr') ?? own('firefox') }
}

/**
 * Returns a chromedriver and a Chromium of the same version, for wasm-bindgen-test, or undefined. It looks for them at
 * each call, because the set-up may have installed them since this module was loaded.
 */
export function webdriver() {
  const [driver, binary] = [installed('chromedriver'), installed('chromium')]
  if (driver && binary) return { driver, binary, args: chromium.args }
  const downloaded = readJson(cache('chromedriver.json'))
  if (downloaded && existsSync(downloaded.driver) && existsSync(downloaded.binary))
    return { ...downloaded, args: chromium.args }
  return undefined
}
