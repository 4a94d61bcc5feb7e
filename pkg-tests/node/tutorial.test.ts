// Does what the tutorial says, with the files that it shows: builds them, keeps notes, searches, goes offline, and
// opens a second tab.
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../common/folder'
import { install, openBrowser, repository, run, serveFolder } from './tarball.js'

const folder = temporaryFolder('tutorial')
const text = readFileSync(join(repository, 'docs/tutorial.md'), 'utf8')
const model = join(repository, 'www/public/models/all-MiniLM-L6-v2')
const modules = join(repository, 'node_modules')

const NOTES = [...text.matchAll(/^- (.+\.)$/gm)]
  .map(([, note]) => note!)
  .filter((note) => /landlord|Lisbon|Sow/.test(note))

describe.skipIf(!existsSync(model))('the tutorial', () => {
  let server: Awaited<ReturnType<typeof serveFolder>>
  let browser: Awaited<ReturnType<typeof openBrowser>>
  let page: Page

  beforeAll(async () => {
    for (const [, path, code] of text.matchAll(/^```\w+ \[(\S+)\]\n(.*?)^```/gms)) {
      mkdirSync(dirname(join(folder, path!)), { recursive: true })
      writeFileSync(join(folder, path!), code!)
    }
    await install(folder)
    mkdirSync(join(folder, 'node_modules/@huggingface'))
    symlinkSync(join(modules, '@huggingface/transformers'), join(folder, 'node_modules/@huggingface/transformers'))
    await run(folder, process.execPath, join(modules, 'vite/bin/vite.js'), 'build')
    server = await serveFolder(join(folder, 'dist'))
    browser = await openBrowser(join(folder, 'profile'))
    // The test has no network. The model and its runtime come from this repository.
    await browser.context.route(/^https:/, (route) => {
      const { pathname } = new URL(route.request().url())
      const name = pathname.replace(/^.*\/resolve\/[^/]+\//, '').replace(/^.*\/dist\//, '')
      const path = [join(model, name), join(modules, 'onnxruntime-web/dist', name)].find(existsSync)
      return path
        ? route.fulfill({ path, headers: { 'access-control-allow-origin': '*' } })
        : route.fulfill({ status: 404 })
    })
    page = browser.context.pages()[0] ?? (await browser.context.newPage())
    await page.goto(server.origin)
  })
  afterAll(async () => {
    await browser?.context.close()
    server?.stop()
  })

  const shown = (tab: Page) => tab.locator('#list li').allTextContents()

  it('keeps three notes', async () => {
    expect(NOTES).toHaveLength(3)
    for (const note of NOTES) {
      await page.locator('#note').fill(note)
      await page.locator('#note').press('Enter')
      await expect.poll(async () => (await shown(page))[0]).toBe(note)
    }
  })

  it('finds by words and by meaning', async () => {
    await page.locator('#query').fill('Portugal')
    await expect.poll(async () => (await shown(page))[0]).toMatch(/Lisbon/)
    await page.locator('#query').fill('who pays for repairs')
    await expect.poll(async () => (await shown(page))[0]).toMatch(/landlord/)
  })

  it('tells a second tab of a new note', async () => {
    const second = await browser.context.newPage()
    await second.goto(server.origin)
    await expect.poll(() => shown(second)).toHaveLength(3)
    await second.locator('#note').fill('Ask for the key of the cellar.')
    await second.locator('#note').press('Enter')
    await page.locator('#query').fill('')
    await expect.poll(async () => (await shown(page))[0]).toBe('Ask for the key of the cellar.')
    await second.close()
  })

  it('works without a network after a reload', async () => {
    await page.evaluate(() => navigator.serviceWorker.ready)
    await page.reload()
    await page.locator('#query').fill('who pays for repairs')
    await expect.poll(async () => (await shown(page))[0]).toMatch(/landlord/)
    server.stop()
    await browser.context.unroute(/^https:/)
    await browser.context.setOffline(true)
    await page.reload()
    await expect.poll(() => shown(page)).toHaveLength(4)
    await page.locator('#query').fill('when do the plants go into the garden')
    await expect.poll(async () => (await shown(page))[0]).toMatch(/tomatoes/)
    expect(browser.complaints.filter((text) => /uncaught/.test(text))).toEqual([])
  })
})
