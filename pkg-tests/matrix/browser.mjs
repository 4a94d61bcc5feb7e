// Opens pages in real browsers.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, firefox } from 'playwright'
import * as settings from '../../scripts/browsers.mjs'

const TYPES = { chromium, firefox }

/** Returns the title of the page once it has one. Otherwise returns a text with the errors of the page. */
export async function titleOf(url, { browser = 'chromium', launch = {} } = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'nidus-matrix-profile-'))
  const context = await TYPES[browser].launchPersistentContext(profile, { ...settings[browser], ...launch })
  try {
    const page = context.pages()[0] ?? (await context.newPage())
    const complaints = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(url)
    try {
      // A development server may load the page again once it has found its dependencies.
      await page.waitForFunction(() => document.title !== '', undefined, { timeout: 600_000 })
    } catch {
      return `no answer; ${complaints.join('; ') || 'no complaint'}`
    }
    return await page.title()
  } finally {
    await context.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Returns how Chromium is started with an unpacked extension, and the origin of its pages. */
export function unpackedExtension(folder) {
  const { chromium } = settings
  const launch = {
    // Playwright would start Chromium's headless shell, which cannot have extensions.
    ...(!chromium.executablePath && { channel: 'chromium' }),
    args: [...chromium.args, `--disable-extensions-except=${folder}`, `--load-extension=${folder}`],
    ignoreDefaultArgs: ['--disable-extensions'],
  }
  // The browser computes the origin from the extension's folder.
  const id = createHash('sha256')
    .update(folder)
    .digest('hex')
    .slice(0, 32)
    .replace(/./g, (digit) => 'abcdefghijklmnop'[parseInt(digit, 16)])
  return { launch, origin: `chrome-extension://${id}/` }
}

/** Returns the title of the extension's index.html. */
export function extensionTitle(folder) {
  const { launch, origin } = unpackedExtension(folder)
  return titleOf(`${origin}index.html`, { launch })
}
