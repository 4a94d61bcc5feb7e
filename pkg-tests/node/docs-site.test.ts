// Builds the docs site, and checks its pages.
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, posix } from 'node:path'
import type { Page } from 'playwright'
import { beforeAll, expect, it } from 'vitest'
import { temporaryFolder } from '../common/folder'
import { openBrowser, repository, run, serveFolder } from './tarball.js'

const BASE = '/somewhere/docs/'
const root = temporaryFolder('docs')
const folder = join(root, BASE)
/** The HTML of each page, by its path within the site. */
const pages = new Map<string, string>()
let files: Set<string>

beforeAll(async () => {
  mkdirSync(folder, { recursive: true })
  await run(repository, process.execPath, 'www/scripts/docs.mjs', '--base', '/somewhere/', '--out', folder)
  files = new Set(readdirSync(folder, { recursive: true }).map((name) => `${name}`.replaceAll('\\', '/')))
  for (const name of files) if (name.endsWith('.html')) pages.set(name, readFileSync(join(folder, name), 'utf8'))
})

/** Returns the file of the site that an address leads to. */
function target(address: string, page: string): string {
  const path = posix.normalize(
    address.startsWith('/') ? address.slice(BASE.length) : posix.join(posix.dirname(page), address),
  )
  return path === '.' || path === '' ? 'index.html' : path.endsWith('/') ? `${path}index.html` : path
}

it('has a page for each Markdown file that is for users', () => {
  for (const name of ['index', 'guides/words', 'explanations/exactness', 'errors', 'specification', 'api/index'])
    expect([...pages.keys()]).toContain(`${name}.html`)
})

it('has no link to a page or a heading that does not exist', () => {
  const dead: string[] = []
  for (const [page, html] of pages) {
    // The API pages link to each other, and VitePress checks those links.
    if (page === '404.html' || page.startsWith('api/')) continue
    const [main] = /<main[^]*<\/main>/.exec(html) ?? ['']
    for (const [, link] of main.matchAll(/<a[^>]* href="([^"]+)"/g)) {
      if (/^(https?|mailto):/.test(link!) || link === `${BASE}../`) continue
      const [path, anchor] = link!.replace(/&amp;/g, '&').split('#')
      const file = path ? target(path, page) : page
      const found = pages.get(file)
      if (!files.has(file)) dead.push(`${page}: ${link}`)
      else if (anchor && !found?.includes(`id="${decodeURIComponent(anchor)}"`)) dead.push(`${page}: ${link}`)
    }
  }
  expect(dead).toEqual([])
})

it('loads nothing from another host, and its policy allows none', () => {
  for (const [page, html] of pages) {
    const loaded = [...html.matchAll(/<(?:script|img|link|iframe)\b[^>]* (?:src|href)="(https?:[^"]+)"/g)]
    expect([page, loaded.map(([, address]) => address)]).toEqual([page, []])
    expect(html).toContain("connect-src 'self'")
  }
})

it('has a section for every error code', () => {
  const types = readFileSync(join(repository, 'src/ts/types/segment.d.ts'), 'utf8')
  const [union] = /export type NidusErrorCode =[^]*?\n\n/.exec(types)!
  const codes = [...union.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code!)
  expect(codes.length).toBeGreaterThan(20)
  const errors = readFileSync(join(repository, 'docs/errors.md'), 'utf8')
  const sections = [...errors.matchAll(/^## ([A-Z_]+)$/gm)].map(([, code]) => code)
  expect(sections.sort()).toEqual(codes.sort())
  for (const code of codes) expect(pages.get('errors.html')).toContain(`id="${code.toLowerCase()}"`)
})

it('has its text for programs', () => {
  const list = readFileSync(join(folder, 'llms.txt'), 'utf8')
  for (const [, address] of list.matchAll(/\]\((\/[^)]+)\)/g)) expect(files).toContain(target(address!, ''))
  expect(list).toContain(`${BASE}guides/words.html`)
  expect(readFileSync(join(folder, 'llms-full.txt'), 'utf8')).toContain('# Words and meaning')
})

/** Opens the search by its key, which the page knows only once its script has taken over the HTML. */
async function openSearch(page: Page) {
  await expect
    .poll(() => page.evaluate(() => '__vue_app__' in document.querySelector('#app')!), { timeout: 60_000 })
    .toBe(true)
  await page.keyboard.press('/')
}

it('is searched by meaning, too, once a visitor asks for that', async () => {
  const models = join(repository, 'www/public/models')
  const { words, meaning } = JSON.parse(readFileSync(join(folder, 'search.json'), 'utf8')) as Record<string, string>
  expect(files).toContain(`${words}/log`)
  // Without a copy of the model there is no such index, and the page does not offer it.
  expect(meaning !== undefined).toBe(existsSync(models))
  if (!meaning) return
  symlinkSync(models, join(root, 'somewhere/models'))
  const server = await serveFolder(root)
  const { context } = await openBrowser(join(root, 'profile-meaning'))
  try {
    const page = context.pages()[0] ?? (await context.newPage())
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    const heavy = () => asked.filter((url) => /\/models\/|ort-wasm/.test(url) || url.includes(meaning))
    await page.goto(server.origin.replace(/\/$/, BASE))
    await openSearch(page)
    await page.keyboard.type('does it work in Safari on iPhone')
    await page.locator('.hit').first().waitFor()
    expect(heavy()).toEqual([])
    await page.getByLabel('Also by meaning').check({ timeout: 600_000 })
    await page.getByText('also by meaning, in').waitFor({ timeout: 600_000 })
    expect(await page.locator('.hit').first().innerText()).toMatch(/Safari|WebKit|iOS/)
    expect(heavy().length).toBeGreaterThan(2)
    expect(asked.filter((url) => !url.startsWith(server.origin) && !url.startsWith('data:'))).toEqual([])
  } finally {
    await context.close()
    server.stop()
  }
})

it('is searched by keyboard, says nothing on the console, and has no fault that axe finds', async () => {
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  const server = await serveFolder(root)
  const { context, complaints } = await openBrowser(join(root, 'profile'))
  try {
    const page = context.pages()[0] ?? (await context.newPage())
    const address = server.origin.replace(/\/$/, BASE)
    for (const name of ['', 'guides/words.html', 'performance.html', 'api/nidus-wasm/classes/Nidus.html']) {
      await page.goto(address + name)
      // The page's policy forbids code in texts, so the browser itself runs this.
      const { violations } = await page.evaluate(`${axe};axe.run()`).then((found) => found as { violations: object[] })
      expect([name, violations]).toEqual([name, []])
    }
    await openSearch(page)
    await page.keyboard.type('quota exceeded')
    await page.locator('.hit.active mark').first().waitFor()
    await page.keyboard.press('Enter')
    await expect.poll(() => page.url()).toBe(`${address}errors.html#quota_exceeded`)
    // This server has no icon of the demo, and knows no ranges, so the store ends its first requests.
    expect(complaints.filter((text) => !/favicon|search-\w+\/(data|log)|404/.test(text))).toEqual([])
  } finally {
    await context.close()
    server.stop()
  }
})
