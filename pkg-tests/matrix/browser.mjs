// Pages opened in real browsers.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, firefox } from 'playwright'
import * as settings from '../../scripts/browsers.mjs'

const TYPES = { chromium, firefox }

/** The title that the page has in the end, and what it complained of. */
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
      await page.waitForFunction(() => document.title !== '', undefined, { timeout: 40_000 })
    } catch {
      return `no answer; ${complaints.join('; ') || 'no complaint'}`
    }
    return await page.title()
  } finally {
    await context.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** The same of index.html in an unpacked extension. */
export function extensionTitle(unpacked) {
  const { chromium } = settings
  const launch = {
    // Chromium's headless shell, which Playwright would take of its own, knows no extensions.
    ...(!chromium.executablePath && { channel: 'chromium' }),
    args: [...chromium.args, `--disable-extensions-except=${unpacked}`, `--load-extension=${unpacked}`],
    ignoreDefaultArgs: ['--disable-extensions'],
  }
  // Its origin comes of where it lies.
  const id = createHash('sha256').update(unpacked).digest('hex').slice(0, 32).replace(/./g, (digit) => 'abcdefghijklmnop'[parseInt(digit, 16)])
  return titleOf(`chrome-extension://${id}/index.html`, { launch })
}
