import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, corpus, embedded, found, layoutShift, number, phase, serve, shots, Visitor, type Found } from './visit'

const TOTAL = corpus.entries.length
const QUESTION = 'parse command line arguments'
const PARSERS = new Set(['arg', 'argparse', 'cac', 'commander', 'dashdash', 'jackspeak', 'mri', 'nopt', 'optionator', 'string-argv', 'yargs', 'yargs-parser'])

let site: Awaited<ReturnType<typeof serve>>
let visitor: Visitor
let stored = 0
let before: Found[] = []

beforeAll(async () => {
  site = await serve()
  visitor = await Visitor.arrive(site.url)
})

afterAll(async () => {
  await visitor?.leave()
  await site?.close()
})

const shot = (name: string) => visitor.page.screenshot({ path: join(shots, `${name}.png`) })

test('the first visit shows how far the index is, and can be asked meanwhile', async () => {
  const { page } = visitor
  await page.goto(site.url)
  await phase(page, 'indexing')
  await expect.poll(() => number(page, 'fact-documents'), { timeout: 30_000 }).toBeGreaterThan(100)
  const first = Number(await page.locator('#progress').getAttribute('value'))
  expect(await page.locator('#status-text').textContent()).toMatch(/^Indexing: [\d,]+ of 2,500 · \d+ a second · about .+ left$/)
  expect((await ask(page, 'colour text in the terminal')).length).toBe(10)
  await shot('indexing')
  await expect.poll(async () => Number(await page.locator('#progress').getAttribute('value'))).toBeGreaterThan(first)
  expect(await layoutShift(page)).toBeLessThan(0.01)
})

test('closing the page in the middle loses nothing that was stored', async () => {
  stored = await number(visitor.page, 'fact-documents')
  await visitor.page.close()
  visitor.page = await visitor.context.newPage()
  await visitor.page.goto(site.url)
  await phase(visitor.page, 'indexing')
  expect(await number(visitor.page, 'fact-documents')).toBeGreaterThanOrEqual(stored)
  stored = await number(visitor.page, 'fact-documents')
})

test('it goes on where it stopped, to the end', { timeout: 400_000 }, async () => {
  const { page } = visitor
  const began = performance.now()
  await phase(page, 'ready', 390_000)
  console.log(`${TOTAL - stored} texts indexed in ${((performance.now() - began) / 1000).toFixed(1)} s`)
  expect(await number(page, 'fact-documents')).toBe(TOTAL)
  expect(await number(page, 'fact-rows')).toBeLessThan(TOTAL + 100)
  expect((await embedded(page)).documents).toBeLessThanOrEqual(TOTAL - stored + 32)
  expect(await page.locator('#fact-storage').textContent()).toMatch(/^OPFS, (persistent|best effort)$/)
  expect(await page.locator('#fact-bytes').textContent()).toMatch(/^[45]\.\d+ MB$/)
})

test('a question finds what means the same', async () => {
  const { page } = visitor
  before = await ask(page, QUESTION)
  expect(before.length).toBe(10)
  expect(PARSERS).toContain(before[0]!.id)
  expect(before.slice(0, 8).filter(({ id }) => PARSERS.has(id)).length).toBeGreaterThanOrEqual(3)
  expect(before).toEqual([...before].sort((a, b) => b.score - a.score))
  const timing = (await page.locator('#timing').textContent())!
  expect(timing).toMatch(/^Embedded in [\d.]+ ms · 2,500 searched in [\d.]+ ms$/)
  console.log(`${timing}; median ${await page.locator('#fact-median').textContent()}`)
  await shot('results')
})

test('the filter holds', async () => {
  const { page } = visitor
  await page.locator('#at-least').selectOption('200000000')
  await expect.poll(() => found(page).then((hits) => hits.map(({ id }) => id))).not.toEqual(before.map(({ id }) => id))
  const downloads = new Map(corpus.entries.map(([id, , count]) => [id, count]))
  const hits = await found(page)
  expect(hits.length).toBe(10)
  for (const { id } of hits) expect(downloads.get(id)).toBeGreaterThanOrEqual(200_000_000)
  await page.locator('#at-least').selectOption('0')
  await expect.poll(() => found(page)).toEqual(before)
})

async function expectAllThere() {
  const { page } = visitor
  await phase(page, 'ready')
  await expect.poll(() => found(page), { timeout: 30_000 }).toEqual(before) // the address still holds the question
  expect(await number(page, 'fact-documents')).toBe(TOTAL)
  expect(await embedded(page)).toEqual({ documents: 0, queries: 1 })
}

test('after a reload everything is there without indexing', async () => {
  await visitor.page.reload()
  await expectAllThere()
  expect(await layoutShift(visitor.page)).toBeLessThan(0.01)
})

test('a second tab has the same index, and keeps it when the first is closed', async () => {
  const second = await visitor.context.newPage()
  await second.goto(site.url)
  await phase(second, 'ready')
  expect(await number(second, 'fact-documents')).toBe(TOTAL)
  expect((await embedded(second)).documents).toBe(0)
  expect((await ask(second, QUESTION)).map(({ id }) => id)).toEqual((await ask(visitor.page, QUESTION)).map(({ id }) => id))
  await visitor.page.close()
  visitor.page = second
  expect((await ask(second, 'colour text in the terminal')).length).toBe(10)
})

test('after the browser was closed and started again, too', async () => {
  const { page } = visitor
  await page.goto(`${site.url}#q=${encodeURIComponent(QUESTION)}`)
  await visitor.closeBrowser()
  await visitor.openBrowser()
  await visitor.page.goto(`${site.url}#q=${encodeURIComponent(QUESTION)}`)
  await expectAllThere()
})

test('it fits a phone, in the dark', async () => {
  const { page } = visitor
  await page.setViewportSize({ width: 390, height: 844 })
  await page.emulateMedia({ colorScheme: 'dark' })
  await shot('phone-dark')
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
  await page.setViewportSize({ width: 1280, height: 900 })
  await shot('results-dark')
  await page.emulateMedia({ colorScheme: 'light' })
})

test('the keyboard is enough', async () => {
  const { page } = visitor
  await page.locator('#delete').focus()
  await page.keyboard.press('/')
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('query')
  await page.keyboard.type(' for node')
  await expect.poll(() => page.locator('#timing').textContent()).toMatch(/searched/)
})

test('the index can be deleted and built again', async () => {
  const { page } = visitor
  await page.locator('#delete').click()
  await page.locator('#confirm-yes').click()
  await phase(page, 'deleted')
  expect(await page.locator('#fact-documents').textContent()).toBe('–')
  await shot('deleted')
  await page.locator('#notice button').click()
  await phase(page, 'indexing')
  expect(await number(page, 'fact-documents')).toBeLessThan(TOTAL / 2)
})

test('nothing complained, and nobody else was asked for anything', () => {
  expect(visitor.complaints).toEqual([])
})

test('without the language model it says so', async () => {
  const { page } = visitor
  await page.route('**/models/**', (route) => route.abort())
  await page.goto('about:blank')
  await page.goto(site.url)
  await phase(page, 'failed')
  expect(await page.locator('#notice h3').textContent()).toBe('The language model could not be loaded')
  expect(await page.locator('#notice .detail').textContent()).toContain('tokenizer')
  await shot('no-model')
})
