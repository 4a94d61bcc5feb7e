import { appendFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { browser, site, visit } from './pages.mjs'

/**
 * What Chromium leaves in its log if it is killed between a record's two writes: a header that promises 64 bytes, and
 * none of them.
 */
const TORN = Uint8Array.of(0x11, 0x22, 0x33, 0x44, 64, 0, 1)

let place: Awaited<ReturnType<typeof site>>
let profile: string
beforeAll(async () => {
  place = await site()
  profile = mkdtempSync(join(tmpdir(), 'nidus-torn-'))
})
afterAll(async () => {
  await place?.close()
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
})

/** A start of the browser that finds and then writes. */
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

it('Chromium, which was killed amid a record of its log, does not delete the store at the start after next', async () => {
  expect((await start()).found).toBe(0)
  const folder = readdirSync(join(profile, 'Default', 'IndexedDB'), { recursive: true }).map((name) =>
    join(profile, 'Default', 'IndexedDB', String(name)),
  )
  const log = folder
    .filter((name) => name.endsWith('.log') && existsSync(name))
    .sort()
    .at(-1)
  appendFileSync(log!, TORN)
  expect((await start()).found).toBe(5)
  expect(await start()).toEqual({ found: 10, databases: ['nidus-wasm', 'nidus-wasm:torn'] })
})
