import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright'
import { CSP, extension, visit } from './browser.mjs'

type Asked = [name: string, method: string, ...args: unknown[]]
type Answer = { ok?: unknown; code?: string; message?: string }
declare global {
  interface Window {
    inPage(...asked: Asked): Promise<Answer>
  }
  const chrome: { runtime: { sendMessage(asked: Asked): Promise<Answer> } }
}

const D = 8
const ROWS = 200
const TIMEOUT = 600_000
const WORDS = ['oak', 'pine', 'birch']
const vector = (n: number) =>
  Array.from({ length: D }, (_, i) => (Math.sin((n * D + i + 1) * 12.9898) * 43758.5453) % 1)
const rows = (from: number, to = from + ROWS) =>
  Array.from({ length: to - from }, (_, i) => ({
    id: `r${from + i}`,
    vector: vector(from + i),
    attrs: { n: from + i, text: `${WORDS[(from + i) % WORDS.length]} and more` },
  }))

/** Where a call is made: in the page, or in the background. The page wakes the background by a message. */
type Where = 'page' | 'background'
const ask = (page: Page, where: Where, ...asked: Asked) =>
  where === 'page'
    ? page.evaluate((asked) => window.inPage(...asked), asked)
    : page.evaluate((asked) => chrome.runtime.sendMessage(asked), asked)
async function did(page: Page, where: Where, ...asked: Asked) {
  const answer = await ask(page, where, ...asked)
  if (answer.code) throw new Error(`${asked[1]} in the ${where}: ${answer.code} ${answer.message}`)
  return answer.ok
}
const open = (page: Page, where: Where, name: string, options = {}) =>
  did(page, where, name, 'open', { dimension: D, ...options })

/**
 * Checks that all rows from 0 to `to` are there, and no others, that each is nearest to itself, and that each word
 * finds the texts that have it.
 */
async function findsAll(page: Page, where: Where, name: string, to = ROWS) {
  expect(await did(page, where, name, 'count')).toBe(to)
  const found = (await did(
    page,
    where,
    name,
    'searchMany',
    rows(0, to).map((row) => row.vector),
    { topK: 1 },
  )) as { id: string; attrs: { n: number } }[][]
  expect(found.map(([hit]) => [hit!.id, hit!.attrs.n])).toEqual(rows(0, to).map(({ id, attrs }) => [id, attrs.n]))
  if ((await did(page, where, name, 'getText', 'c')) === undefined)
    await did(page, where, name, 'setText', 'c', { text: {} })
  for (const text of WORDS) {
    const hits = (await did(page, where, name, 'search', { text }, { topK: to })) as { id: string }[]
    const having = rows(0, to).filter(({ attrs }) => attrs.text.startsWith(text))
    expect(hits.map(({ id }) => id).sort()).toEqual(having.map(({ id }) => id).sort())
  }
}

const boot = (page: Page) => did(page, 'background', '', 'boot')
/**
 * Stops the background, as the browser does after half a minute without events. While Playwright is connected, the
 * browser does not do it by itself.
 */
async function stopBackground(page: Page) {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('ServiceWorker.enable')
  await cdp.send('ServiceWorker.stopAllWorkers')
  await cdp.detach()
}

describe.for([
  { form: 'a module', module: true },
  { form: 'a classic script', module: false },
])('in an extension whose background is $form', ({ module }) => {
  let made: Awaited<ReturnType<typeof extension>>
  let machine: Awaited<ReturnType<typeof made.start>>
  let page: Page
  beforeAll(async () => {
    made = await extension({ module, csp: CSP })
    machine = await made.start()
    page = await visit(machine.context, made.url)
  }, 2 * TIMEOUT)
  afterAll(async () => {
    await machine?.close()
    made?.remove()
  })

  it.for([
    ['page', {}, 'opfs'],
    ['page', { storage: 'indexeddb' }, 'indexeddb'],
    ['background', {}, 'indexeddb'],
    ['background', { storage: 'indexeddb' }, 'indexeddb'],
  ] as const)(
    'the %s keeps a store, asked for with %j, in %s, also over a reload or a stop and a restart of the browser',
    async ([where, options, storage]) => {
      const name = `${where} ${JSON.stringify(options)}`
      expect(await open(page, where, name, options)).toBe(storage)
      expect(await did(page, where, name, 'upsert', 'c', rows(0))).toBe(ROWS)
      await findsAll(page, where, name)
      // The background is ended while it has the store open.
      const former = await boot(page)
      if (where === 'page') await page.reload().then(() => page.waitForFunction(() => 'inPage' in window))
      else {
        await stopBackground(page)
        expect(await boot(page)).not.toBe(former)
      }
      expect((await ask(page, where, name, 'count')).code).toBe('none')
      expect(await open(page, where, name, options)).toBe(storage)
      await findsAll(page, where, name)
      expect(await did(page, where, name, 'upsert', 'c', rows(ROWS))).toBe(ROWS)
      await machine.close()
      machine = await made.start()
      page = await visit(machine.context, made.url)
      // The kind of storage was recorded, and is used again.
      expect(await open(page, where, name)).toBe(storage)
      await findsAll(page, where, name, 2 * ROWS)
    },
  )

  it('a background stopped while it writes loses nothing that was acknowledged, and leaves no half batch', async () => {
    const name = 'amid'
    await open(page, 'background', name, { storage: 'indexeddb' })
    const writing = page.evaluate(
      async ([name, vectors]) => {
        const acknowledged: number[] = []
        Object.assign(globalThis, { acknowledged })
        for (let n = 0; ; n++) {
          const records = ['a', 'b'].map((part) => ({ id: `${n} ${part}`, vector: vectors[n % vectors.length] }))
          // If the background ends, this message gets no answer. The new background has no open store, so the next
          // message would fail.
          const answer = await chrome.runtime.sendMessage([name, 'upsert', 'c', records]).catch(() => undefined)
          if (answer?.ok !== 2) return acknowledged
          acknowledged.push(n)
        }
      },
      [name, rows(0).map((row) => row.vector)] as const,
    )
    await expect
      .poll(() => page.evaluate(() => (globalThis as { acknowledged?: number[] }).acknowledged?.length))
      .toBeGreaterThan(3)
    await stopBackground(page)
    const acknowledged = await writing
    expect(acknowledged.length).toBeGreaterThan(0)
    await open(page, 'background', name)
    const there = Number(await did(page, 'background', name, 'count'))
    // Writes are made in order. So at most one more is there: the one without an answer.
    expect([2 * acknowledged.length, 2 * acknowledged.length + 2]).toContain(there)
    const ids = acknowledged.flatMap((n) => [`${n} a`, `${n} b`])
    const got = (await did(page, 'background', name, 'get', 'c', ids)) as ({ id: string } | undefined)[]
    expect(got.map((record) => record?.id)).toEqual(ids)
  })

  it('page and background share a store, and each keeps working when the other ends', async () => {
    const name = 'shared'
    const other = await visit(machine.context, made.url)
    await open(other, 'page', name, { storage: 'indexeddb' })
    await open(page, 'background', name)
    await did(page, 'background', name, 'upsert', 'c', rows(0))
    await findsAll(other, 'page', name)
    await other.close()
    // The background leads now, or will soon. Calls that had no answer are sent again to the new leader, and so are
    // writes.
    await did(page, 'background', name, 'upsert', 'c', rows(ROWS))
    await open(page, 'page', name)
    await findsAll(page, 'page', name, 2 * ROWS)
    const former = await boot(page)
    await stopBackground(page)
    await findsAll(page, 'page', name, 2 * ROWS)
    await did(page, 'page', name, 'upsert', 'c', rows(2 * ROWS))
    await findsAll(page, 'page', name, 3 * ROWS)
    expect(await boot(page)).not.toBe(former)
    await open(page, 'background', name)
    await findsAll(page, 'background', name, 3 * ROWS)
  })

  it(
    'the background reaches a store in OPFS only through a page, and the error says so; other pages keep ' +
      'the store',
    async () => {
      const name = 'through'
      const others = [await visit(machine.context, made.url), await visit(machine.context, made.url)] as const
      expect(await open(others[0], 'page', name)).toBe('opfs')
      expect(await open(page, 'background', name)).toBe('opfs')
      await open(others[1], 'page', name)
      await did(page, 'background', name, 'upsert', 'c', rows(0))
      // The background would lead next, but it cannot open the store.
      await others[0].close()
      await findsAll(others[1], 'page', name)
      expect((await ask(page, 'background', name, 'count')).code).toBe('FAILED')
      await others[1].close()
      await expect
        .poll(async () => (await ask(page, 'background', name, 'open', { dimension: D })).code)
        .toBe('STORAGE_UNAVAILABLE')
      expect(await open(page, 'page', name)).toBe('opfs')
      await findsAll(page, 'page', name)
    },
  )
})

it('without wasm-unsafe-eval in the manifest, opening is UNSUPPORTED, and the error names it', async () => {
  for (const csp of [undefined, "script-src 'self'"]) {
    const made = await extension({ module: true, ...(csp && { csp }) })
    const machine = await made.start()
    try {
      const page = await visit(machine.context, made.url)
      for (const where of ['page', 'background'] as const) {
        const { code, message } = await ask(page, where, 'none', 'open', { dimension: D })
        expect([where, code, message]).toEqual([
          where,
          'UNSUPPORTED',
          expect.stringContaining("no 'wasm-unsafe-eval' in the CSP"),
        ])
        expect(await did(page, where, '', 'list')).toEqual([])
      }
    } finally {
      await machine.close()
      made.remove()
    }
  }
})
