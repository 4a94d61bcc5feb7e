// Which browsers the tests drive, and how Playwright starts them. Looked up when imported: a path per machine belongs in no file.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cache, readJson, which } from './lib.mjs'

const installed = (...names) => names.map((name) => which(name)).find(Boolean)

const chromiumPath = installed('chromium')
const firefoxPath = installed('firefox-esr')

const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']

/** For `chromium.launch` and `chromium.launchPersistentContext`. Without a path Playwright takes the one it downloaded. */
export const chromium = {
  ...(chromiumPath && { executablePath: chromiumPath }),
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', ...quiet],
}

/** For `firefox.launch` and the like. A stock Firefox is driven over BiDi, hence the channel. */
export const firefox = {
  ...(firefoxPath && { channel: 'moz-firefox', executablePath: firefoxPath }),
  headless: true,
  // Without these the permission prompt of navigator.storage.persist() never settles, headless.
  firefoxUserPrefs: { 'dom.storageManager.prompt.testing': true, 'dom.storageManager.prompt.testing.allow': true },
}

/** What is there: paths, or undefined. Playwright's own count once they were downloaded. */
export function present() {
  const own = (name) => {
    try {
      const playwright = createRequire(import.meta.url)('playwright')
      const path = playwright[name].executablePath()
      return existsSync(path) ? path : undefined
    } catch {
      return undefined // before `npm ci` there is no Playwright, hence no browser of its own
    }
  }
  return { chromium: installed('chromium') ?? own('chromium'), firefox: installed('firefox-esr') ?? own('firefox') }
}

/**
 * A chromedriver and the Chromium of the same version, for wasm-bindgen-test; undefined when there is none. Looked up at each call: the set-up
 * may have installed them since this module was loaded.
 */
export function webdriver() {
  const [driver, binary] = [installed('chromedriver'), installed('chromium')]
  if (driver && binary) return { driver, binary, args: chromium.args }
  const downloaded = readJson(cache('chromedriver.json'))
  if (downloaded && existsSync(downloaded.driver) && existsSync(downloaded.binary)) return { ...downloaded, args: chromium.args }
  return undefined
}
