import { appendFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { browser, site, visit } from './pages.mjs'

/**
 * The end of Chromium's own log if it was killed between the two writes of a record: a header that announces 64 bytes,
 * without these bytes.
 */
const HALF_WRITTEN = Uint8Array.of(0x11, 0x22, 0x33, 0x44, 64, 0, 1)

let place: Awaited<ReturnType<typeof site>>
let profile: string
beforeAll(async () => {
  place = await site()
  profile = mkdtempSync(join(tmpdir(), 'nidus-half-written-'))
})
afterAll(async () => {
  await place?.close()
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
})

/** Starts the browser, counts the records that are there, and writes five more. */
async function start() {
  const { context, close } = await browser('chromium', {}, profile)
  try {
    const page = await visit(context, place.url)
    return await page.evaluate(async () => {
      const db = await window.nidus.Nidus.open('torn', { dimension: 2, storage: 'indexeddb' })
      const found = await db.count()
      for (let n = 0; n < 5; n++) await db.upsert('c', [{ id: `${found + n}`, vector: [1, n] }])
      return { found, databases: (await indexedDB.databases()).map(({ name }) => name).sort() }
    })
  } finally {
    await close()
  }
}

it('a Chromium that was killed while it wrote to its own log does not delete the store two starts later', async () => {
  expect((await start()).found).toBe(0)
  const folder = readdirSync(join(profile, 'Default', 'IndexedDB'), { recursive: true }).map((name) =>
    join(profile, 'Default', 'IndexedDB', String(name)),
  )
  const log = folder
    .filter((name) => name.endsWith('.log') && existsSync(name))
    .sort()
    .at(-1)
  appendFileSync(log!, HALF_WRITTEN)
  expect((await start()).found).toBe(5)
  expect(await start()).toEqual({ found: 10, databases: ['nidus-wasm', 'nidus-wasm:torn'] })
})
