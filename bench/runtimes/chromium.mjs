// Runs each peer in a worker, in one real Chromium that Playwright starts. Each worker is in a page of its own. So if
// one dies, the others continue.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium as settings } from '../../scripts/browsers.mjs'
import { Calls } from './calls.mjs'
import { serve } from './server.mjs'

export async function chromium({ wall, files }) {
  const { chromium: driver } = await import('playwright')
  const server = await serve({ wall, files })
  const profile = mkdtempSync(join(tmpdir(), 'nidus-bench-'))
  const context = await driver.launchPersistentContext(profile, {
    ...settings,
    args: [...settings.args, '--js-flags=--expose-gc'],
  })
  return {
    name: 'chromium',
    inPage: true,
    relaxed: [],
    version: context.browser()?.version() ?? (await versionOf(context)),
    async channel() {
      const page = await context.newPage()
      const calls = new Calls((message) =>
        page
          .evaluate((message) => globalThis.ask(message), message)
          .catch((error) => calls.answer({ id: message.id, error: String(error) })),
      )
      await page.exposeFunction('answer', (message) => calls.answer(message))
      page.on('crash', () => calls.fail('the page crashed'))
      await page.goto(`${server.origin}/page.html`)
      await page.waitForFunction(() => 'ask' in globalThis)
      return { call: (op, args, patience) => calls.call(op, args, patience), end: () => page.close().catch(() => {}) }
    },
    /**
     * Returns the files that a page loads from the package to open a store in OPFS, insert this number of rows and
     * search them: paths in dist/. With `coded`, the page stays open until the rows have codes.
     */
    async downloads(rows, coded) {
      const page = await context.newPage()
      const before = server.fetched.length
      await page.goto(`${server.origin}/page.html`)
      const fill = async ({ rows, coded }) => {
        const { Nidus } = await import('/dist/browser.js')
        const db = await Nidus.open('download', { dimension: 4, storage: 'opfs' })
        const ids = Array.from({ length: rows }, (_, i) => `${i}`)
        await db.upsert('rows', { ids, vectors: Float32Array.from({ length: 4 * rows }, (_, i) => 1 + (i % 97)) })
        while (coded && !(await db.footprint()).codedRows) await new Promise((resolve) => setTimeout(resolve, 10))
        await db.search([1, 0, 0, 0])
        await db.close()
      }
      await page.evaluate(fill, { rows, coded })
      const fetched = [...new Set(server.fetched.slice(before))]
      // This loads the complete worker, which a page that only opens, writes and searches does not need.
      await page.evaluate(async () => (await import('/dist/browser.js')).Nidus.destroy('download'))
      await page.close()
      return fetched
    },
    async close() {
      await context.close()
      await server.close()
      rmSync(profile, { recursive: true, force: true })
    },
  }
}

async function versionOf(context) {
  const page = await context.newPage()
  const agent = await page.evaluate(() => navigator.userAgent)
  await page.close()
  return /Chrome\/([\d.]+)/.exec(agent)?.[1] ?? 'unknown'
}
