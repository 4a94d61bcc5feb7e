import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, firefox, type BrowserContext, type Page } from 'playwright'
import { build, preview, type PreviewServer } from 'vite'
import * as settings from '../../scripts/browsers.mjs'
import { ensureModel } from '../scripts/model.mjs'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export const shots = here('.out')
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Builds the page and serves it as a visitor gets it, with its policy. */
export async function serve(): Promise<{ url: string; close(): Promise<void> }> {
  if (!existsSync(here('../../dist/browser.js'))) throw new Error('the package is not built: npm run build')
  if (!(await ensureModel({ log: console.log }))) {
    throw new Error(
      'this test needs a local copy of the language model, and there is none (the line above says why): node ' +
        'www/scripts/model.mjs',
    )
  }
  await mkdir(shots, { recursive: true })
  const common = {
    configFile: here('../vite.config.ts'),
    logLevel: 'warn',
    build: { outDir: 'tests/.out/site' },
  } as const
  await build(common)
  const server: PreviewServer = await preview({ ...common, preview: { host: '127.0.0.1', port: 0 } })
  const address = server.httpServer.address()
  if (!address || typeof address === 'string') throw new Error('the preview server has no port')
  return { url: `http://127.0.0.1:${address.port}/`, close: () => server.close() }
}

/** A visitor: a browser with a profile that is kept, and a list of everything wrong that happened. */
export class Visitor {
  readonly complaints: string[] = []
  context!: BrowserContext
  page!: Page

  private constructor(
    readonly url: string,
    readonly profile: string,
    readonly browser: 'chromium' | 'firefox',
  ) {}

  static async arrive(url: string, browser: 'chromium' | 'firefox' = 'chromium') {
    const visitor = new Visitor(url, await mkdtemp(join(tmpdir(), 'nidus-page-')), browser)
    await visitor.openBrowser()
    return visitor
  }

  async openBrowser() {
    this.context = await { chromium, firefox }[this.browser].launchPersistentContext(this.profile, {
      ...settings[this.browser],
      viewport: { width: 1280, height: 900 },
    })
    this.context.setDefaultTimeout(HANGS)
    this.context.setDefaultNavigationTimeout(HANGS)
    this.context.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.complaints.push(`console: ${message.text()}`)
    })
    this.context.on('weberror', (error) => this.complaints.push(`uncaught: ${error.error().message}`))
    this.context.on('request', (request) => {
      // A URL that the page made itself (a download, the code of a worker) is not requested from a server.
      if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(this.url))
        this.complaints.push(`third party: ${request.url()}`)
    })
    if (this.browser === 'chromium') await this.context.addInitScript(watchLayout)
    this.page = this.context.pages()[0] ?? (await this.context.newPage())
  }

  async closeBrowser() {
    await this.context.close()
  }

  async leave() {
    await this.context?.close().catch(() => {})
    await rm(this.profile, { recursive: true, force: true })
  }
}

/** Adds up the layout shifts that no action of the visitor caused. */
function watchLayout() {
  const moved = { total: 0 }
  Object.assign(globalThis, { moved })
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[]) {
      if (!entry.hadRecentInput) moved.total += entry.value
    }
  }).observe({ type: 'layout-shift', buffered: true })
}

export const layoutShift = (page: Page) =>
  page.evaluate(() => (globalThis as unknown as { moved: { total: number } }).moved.total)

/** Only a fault makes a wait this long. */
const HANGS = 600_000

export async function phase(page: Page, wanted: string) {
  try {
    await page.locator(`#status[data-phase="${wanted}"]`).waitFor()
  } catch {
    const status = await page.locator('#status-text').textContent()
    const notice = await page.locator('#notice').textContent()
    throw new Error(`the page did not get to "${wanted}". It says: ${status?.trim()}. ${notice ?? ''}`)
  }
}

export const number = async (page: Page, id: string) =>
  Number((await page.locator(`#${id}`).textContent())?.replace(/\D/g, ''))

export async function embedded(page: Page) {
  const { documents, queries } = await page.locator('#fact-embedded').evaluate((each) => ({ ...each.dataset }))
  return { documents: Number(documents), queries: Number(queries) }
}

/** Starts another server, which allows and records every request. */
export async function thirdParty() {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url!)
    response.setHeader('access-control-allow-origin', '*').end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked, close: () => server.close() }
}

/** Drops files and folders on the page, with the entries that a browser would give it. */
export async function drop(page: Page, ...paths: string[]) {
  const cdp = await page.context().newCDPSession(page)
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await cdp.send('Input.dispatchDragEvent', {
      type,
      x: 400,
      y: 500,
      data: { items: [], files: paths, dragOperationsMask: 1 },
    })
  }
  await cdp.detach()
}

interface Found {
  id: string
  file: string
  score: number
}

export const found = (page: Page): Promise<Found[]> =>
  page.locator('.result').evaluateAll((items) =>
    items.map((each) => ({
      id: (each as HTMLElement).dataset.id!,
      file: (each as HTMLElement).dataset.file!,
      score: Number((each as HTMLElement).dataset.score),
    })),
  )

/**
 * Types a question as a person would, and returns its answer. The field is emptied first, so that it cannot be the
 * answer to an earlier question.
 */
export async function ask(page: Page, question: string) {
  await page.locator('#query').fill('')
  await page.locator('#query').pressSequentially(question, { delay: 10 })
  return answer(page)
}

/** Returns what the page shows, as soon as it belongs to the current question and filters. */
export async function answer(page: Page) {
  await page.waitForFunction(() => {
    const fields = ['query', 'folder', 'type', 'path', 'since'].map((id) =>
      (document.getElementById(id) as HTMLInputElement).value.trim(),
    )
    return document.getElementById('results')!.dataset.answers === JSON.stringify(fields)
  })
  return found(page)
}

/** Returns what axe finds wrong. It is evaluated in the page, because the page's policy would forbid a script. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  return page.evaluate(async () => {
    const { violations } = await (
      globalThis as unknown as {
        axe: { run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> }
      }
    ).axe.run()
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    )
  })
}
