// Goes through the shipped sets like a new visitor: the first answer, the balance, nonsense, the race, and each state.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Page } from 'playwright'
import { EXAMPLES } from '../sets/examples.mjs'
import { ask, found, layoutShift, phase, serve, violations, Visitor } from './visit'

let site: Awaited<ReturnType<typeof serve>>
beforeAll(async () => void (site = await serve()))
afterAll(() => site?.close())

async function visiting(work: (visitor: Visitor) => Promise<void>, browser?: 'chromium' | 'firefox') {
  const visitor = await Visitor.arrive(site.url, browser)
  try {
    await work(visitor)
  } finally {
    await visitor.leave()
  }
}

const first = async (page: Page) => (await found(page))[0]?.file

/** Moves the balance, and returns what is found then. */
async function balance(page: Page, percent: number) {
  await page.locator('#results').evaluate((list) => delete list.dataset.answers)
  await page.locator('#meaning').fill(String(percent))
  await page.locator('#results[data-answers]').waitFor()
  return found(page)
}

/**
 * Returns whether the bar of each result has a part for words and one for meaning, and what the bar says of itself. The
 * bars are found and measured in one step: between two, the page could replace them, and what it took out has no width.
 */
async function bars(page: Page) {
  await page.locator('.result .bar').last().waitFor()
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('.result .bar')].map((bar) => {
      const [words, meaning] = [...bar.children].map((part) => part.getBoundingClientRect().width > 0)
      return { words, meaning, says: `${bar.closest('li')!.className}: ${bar.title}` }
    }),
  )
}

/** Waits until the set is complete and the question is answered from it. */
async function ready(page: Page) {
  await phase(page, 'ready')
  await page.locator('#results[data-answers]').waitFor({ state: 'attached' }) // without a question, the list is empty
}

test('a first visit shows an answer before the model is there, and a second one needs no network', () =>
  visiting(async ({ page, context, complaints }) => {
    let letModelGo = () => {}
    const held = new Promise<void>((resolve) => (letModelGo = resolve))
    await context.route(/\.onnx$/, async (route) => {
      await held
      await route.continue()
    })
    await page.goto(site.url)
    await page.locator('.result').first().waitFor()
    expect(await first(page)).toBe('claustrophobia')
    await ready(page)
    expect(await violations(page)).toEqual([])
    // Every example is answered without the model.
    for (const { question, finds } of EXAMPLES.dictionary) {
      await page.getByRole('button', { name: question }).click()
      await page.waitForFunction(
        (wanted) => document.getElementById('results')!.dataset.answers?.includes(wanted),
        question,
      )
      const words = (await found(page)).slice(0, 5).flatMap(({ file }) => file.split(', '))
      expect(
        words.filter((word) => finds.includes(word)),
        question,
      ).not.toEqual([])
    }
    // A question of one's own is answered by its words, and says so.
    await page.locator('#query').fill('veterinarian')
    await expect.poll(() => first(page), { timeout: 60_000 }).toContain('veterinarian')
    expect(await page.locator('#results').getAttribute('data-answers')).toBeNull()
    letModelGo()
    expect((await ask(page, 'someone who draws maps for a living'))[0]!.file).toContain('cartographer')
    expect(await layoutShift(page)).toBeLessThan(0.05)
    await expect
      .poll(() => page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.active?.state))
      .toBe('activated')
    await page.reload()
    await ready(page)
    await context.setOffline(true)
    await page.goto('about:blank')
    await page.goto(site.url)
    await ready(page)
    expect((await ask(page, 'frozen water that falls from the sky')).length).toBeGreaterThan(0)
    expect(complaints).toEqual([])
  }))

test('the balance ranks anew, words are marked, and the bars say where the rank came from', () =>
  visiting(async ({ page }) => {
    await page.goto(site.url)
    await ready(page)
    await page.getByRole('button', { name: 'hot melted rock' }).click()
    await page.locator('#results[data-answers*="hot melted rock"]').waitFor()
    const meant = await balance(page, 100)
    for (const bar of await bars(page)) expect(bar).toEqual({ ...bar, words: false, meaning: true })
    expect(await page.locator('.result mark').first().textContent()).toMatch(/hot|melt|rock/i)
    const said = await balance(page, 0)
    for (const bar of await bars(page)) expect(bar).toEqual({ ...bar, words: true, meaning: false })
    expect(said.map(({ id }) => id)).not.toEqual(meant.map(({ id }) => id))
    await balance(page, 50)
    expect((await bars(page)).some(({ words, meaning }) => words && meaning)).toBe(true)
    expect(await page.locator('#time-engine').textContent()).toMatch(/ms$/)
    expect(await page.locator('#time-message').textContent()).toMatch(/ms$/)
  }))

test('nonsense finds nothing close, and the nearest only on request', () =>
  visiting(async ({ page }) => {
    await page.goto(site.url)
    await ready(page)
    await ask(page, 'asdkjhqwe zzz')
    expect(await page.locator('.nothing').textContent()).toContain('Nothing close')
    expect(await page.locator('.result').first().isVisible()).toBe(false)
    await page.getByRole('button', { name: 'Show the nearest anyway' }).click()
    expect(await page.locator('.result').first().isVisible()).toBe(true)
    await ask(page, 'a doctor for animals')
    expect(await page.locator('.result').first().isVisible()).toBe(true)
    expect(await page.locator('.nothing').count()).toBe(0)
  }))

test('without room a set is in memory for this visit, and the page says so', () =>
  visiting(async ({ page }) => {
    const cdp = await page.context().newCDPSession(page)
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: new URL(site.url).origin, quotaSize: 1 })
    await page.goto(site.url)
    await ready(page)
    expect(await page.locator('#status-text').textContent()).toContain('in memory only')
    expect(await first(page)).toBe('claustrophobia')
  }))

test('without the model the words go on, and the page says what is missing', () =>
  visiting(async ({ page, context }) => {
    await context.route(/\.onnx$/, (route) => route.fulfill({ status: 404, body: '' }))
    await page.goto(site.url)
    await ready(page)
    await ask(page, 'veterinarian')
    expect(await first(page)).toContain('veterinarian')
    expect(await page.locator('#notice').textContent()).toMatch(/language model.*Words are still found/s)
    await context.unroute(/\.onnx$/)
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.locator('#results[data-answers]').waitFor()
    expect(await page.locator('#notice').isVisible()).toBe(false)
    expect(await page.locator('#time-model').textContent()).toMatch(/ms$|known/)
  }))

test('two tabs share a set, emoji are found, and the keyboard is enough', () =>
  visiting(async ({ page, context, complaints }) => {
    await page.goto(site.url)
    const second = await context.newPage()
    await second.goto(site.url)
    await ready(page)
    await ready(second)
    expect(await first(second)).toBe('claustrophobia')
    await second.close()
    await page.locator('input[name=set]').first().focus()
    await page.keyboard.press('ArrowRight')
    await ready(page)
    for (const { question, finds } of EXAMPLES.emoji) {
      await page.locator('.chip', { hasText: question }).press('Enter')
      await page.waitForFunction(
        (wanted) => document.getElementById('results')!.dataset.answers?.includes(wanted),
        question,
      )
      const signs = (await found(page)).slice(0, 5).map(({ file }) => file)
      expect(
        signs.filter((sign) => finds.includes(sign)),
        question,
      ).not.toEqual([])
    }
    await page.keyboard.press('/')
    await page.keyboard.press('ArrowDown')
    expect(await page.evaluate(() => document.activeElement!.className)).toContain('result')
    await page.keyboard.press('m')
    await page.locator('#alike').waitFor()
    await page.emulateMedia({ colorScheme: 'dark' })
    expect(await violations(page)).toEqual([])
    await page.setViewportSize({ width: 390, height: 844 })
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
    expect(complaints).toEqual([])
  }))

test('the race shows a time for every runner', () =>
  visiting(async ({ page, complaints }) => {
    await page.goto(site.url)
    await ready(page)
    await page.locator('#race').click()
    await page.waitForFunction(() =>
      /On this machine|stopped/.test(document.getElementById('race-state')!.textContent!),
    )
    const lanes = await page.locator('.lane').allTextContents()
    expect(lanes.map((text) => text.replace(/[\d.,]+ ms.*/, ''))).toEqual([
      'JavaScript loop',
      'Orama',
      'nidus-wasm',
      'MiniSearch',
      'Orama',
      'nidus-wasm',
    ])
    for (const text of lanes) expect(Number(/([\d.,]+) ms/.exec(text)![1])).toBeGreaterThan(0)
    expect(await violations(page)).toEqual([])
    expect(complaints).toEqual([])
  }))
