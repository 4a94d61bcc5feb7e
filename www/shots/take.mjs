// `npm run shots:www`: builds the page, and takes a picture of each of its states, at three widths, light and dark. The
// pictures lie in www/shots/.out. `--keep` replaces the few that are committed.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright'
import { chromium as settings } from '../../scripts/browsers.mjs'
import { at, main, say } from '../../scripts/lib.mjs'
import { previewPage } from '../scripts/preview.mjs'

const WIDTHS = { wide: [1280, 900], tablet: [820, 1100], phone: [390, 844] }
const SCHEMES = ['light', 'dark']
const KEPT = {
  'answer-wide-light': 'answer',
  'answer-wide-dark': 'answer-dark',
  'answer-phone-dark': 'phone',
  'race-wide-light': 'race',
}
const OUT = at('www/shots/.out')
const LONG = 180_000

const answered = (page, question) =>
  page.waitForFunction((wanted) => document.getElementById('results').dataset.answers?.includes(wanted), question, {
    timeout: LONG,
  })
const ready = (page, phase = 'ready') => page.locator(`#status[data-phase="${phase}"]`).waitFor({ timeout: LONG })
const type = async (page, question) => {
  await page.locator('#query').fill(question)
  await answered(page, question)
}

/** Each state: how the page gets there, from a page that is open and ready. */
const STATES = {
  answer: async () => {},
  typed: (page) => type(page, 'a doctor for animals'),
  alike: async (page) => {
    await page.locator('.result').nth(1).focus()
    await page.keyboard.press('m')
    await page.locator('#alike').waitFor({ timeout: LONG })
  },
  words: async (page) => {
    await page.locator('#meaning').fill('0')
    await answered(page, '')
  },
  nothing: (page) => type(page, 'asdkjhqwe zzz'),
  emoji: async (page) => {
    await page.locator('input[value=emoji]').check({ force: true })
    await ready(page)
    await page.locator('.chip').first().click()
    await answered(page, 'sleepy')
  },
  files: async (page) => {
    await page.locator('input[value=files]').check({ force: true })
    await ready(page, 'empty')
  },
  note: async (page) => {
    const buffer = Buffer.from('# The roof\n\nThe tiles on the north side are loose. We ask the landlord to pay half.')
    await page.locator('#files').setInputFiles({ name: 'roof.md', mimeType: 'text/markdown', buffer })
    await ready(page)
    await type(page, 'who pays for the repair')
  },
}

/** The states of a first visit, each with what stands in its way. */
const VISITS = {
  filling: async (page, context) => {
    // The vectors come late, so the page waits for them.
    await context.route(/\.i8$/, (route) => setTimeout(() => void route.continue().catch(() => {}), 5000))
    return () => page.locator('#status').waitFor()
  },
  'no-model': async (page, context) => {
    await context.route(/\.onnx$/, (route) => route.fulfill({ status: 404, body: '' }))
    return async () => {
      await ready(page)
      await type(page, 'veterinarian')
    }
  },
  'no-set': async (page, context) => {
    await context.route(/dictionary\.json$/, (route) => route.fulfill({ status: 404, body: '' }))
    return () => ready(page, 'failed')
  },
  'no-room': async (page, context, url) => {
    const cdp = await context.newCDPSession(page)
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: new URL(url).origin, quotaSize: 1 })
    return () => ready(page)
  },
}

async function everyWidth(page, name, widths = WIDTHS) {
  for (const [width, [w, h]] of Object.entries(widths))
    for (const colorScheme of SCHEMES) {
      await page.setViewportSize({ width: w, height: h })
      await page.emulateMedia({ colorScheme })
      await page.waitForTimeout(250) // the bars move
      await page.screenshot({ path: join(OUT, `${name}-${width}-${colorScheme}.png`) })
    }
}

main(async () => {
  rmSync(OUT, { recursive: true, force: true })
  mkdirSync(OUT, { recursive: true })
  const folder = mkdtempSync(join(tmpdir(), 'nidus-shots-'))
  const { server, url } = await previewPage(folder)
  const browser = await chromium.launch(settings)
  try {
    const page = await browser.newPage()
    await page.goto(url)
    await ready(page)
    for (const [name, go] of Object.entries(STATES)) {
      say(name)
      await go(page)
      await everyWidth(page, name)
      if (name === 'alike') await page.locator('#alike-clear').click()
      if (name === 'words') await page.locator('#meaning').fill('70')
    }
    await page.setViewportSize({ width: 1280, height: 900 })
    await page.locator('#race').click()
    await page.waitForFunction(
      () => /On this machine|stopped/.test(document.getElementById('race-state').textContent),
      {
        timeout: LONG,
      },
    )
    for (const [width, [w, h]] of Object.entries(WIDTHS)) {
      await page.setViewportSize({ width: w, height: h })
      await page.locator('.race').scrollIntoViewIfNeeded()
      await everyWidth(page, 'race', { [width]: [w, h] })
    }
    for (const [name, go] of Object.entries(VISITS)) {
      say(name)
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 } })
      const fresh = await context.newPage()
      const wait = await go(fresh, context, url)
      await fresh.goto(url)
      await wait()
      await everyWidth(fresh, name, name === 'filling' ? { wide: WIDTHS.wide } : WIDTHS)
      await context.close()
    }
    if (process.argv.includes('--keep'))
      for (const [from, to] of Object.entries(KEPT)) copyFileSync(join(OUT, `${from}.png`), at(`www/shots/${to}.png`))
    say(`the pictures are in ${OUT}`)
  } finally {
    await browser.close()
    await server.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
