import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BrowserContext, Page } from 'playwright'
import { browser, site, visit } from './pages.mjs'
import { run } from './stress.mjs'

type Db = {
  count(): Promise<number>
  upsert(collection: string, rows: object[]): Promise<number>
  get(collection: string, ids: string[]): Promise<unknown[]>
}
declare global {
  interface Window {
    db: Db
    nidus: { Nidus: { open(name: string, options: object): Promise<Db> } }
    written: Promise<string[]>
    shown: boolean[]
  }
}

const open = (page: Page, name: string, storage: string) =>
  page.evaluate(
    async ([name, storage]) => void (window.db = await window.nidus.Nidus.open(name!, { dimension: 2, storage })),
    [name, storage],
  )
const upsert = (page: Page, id: string) => page.evaluate((id) => window.db.upsert('c', [{ id, vector: [1, 2] }]), id)
const count = (page: Page) => page.evaluate(() => window.db.count())

/** Leaves the page for another one of the site `url`. */
async function leave(page: Page, url: string) {
  await page.evaluate(() => {
    window.shown = []
    addEventListener('pageshow', ({ persisted }) => window.shown.push(persisted))
  })
  await page.goto(`${url}elsewhere`)
}

/** Goes back to a page that was left, which must have been in the back/forward cache. */
async function comeBack(page: Page) {
  await page.goBack({ waitUntil: 'commit' })
  await page.waitForFunction(() => location.pathname === '/' && window.shown?.length !== 0)
  expect(await page.evaluate(() => window.shown), 'the page was not kept').toEqual([true])
}

/** Returns a promise, and the function that fulfils it. */
const signal = () => {
  let give!: () => void
  const given = new Promise<void>((resolve) => (give = resolve))
  return { given, give }
}

describe('tabs of a browser', () => {
  let place: Awaited<ReturnType<typeof site>>
  let machine: Awaited<ReturnType<typeof browser>>
  let context: BrowserContext
  beforeAll(async () => {
    place = await site()
    // Playwright switches the back/forward cache off by default.
    machine = await browser('chromium', { ignoreDefaultArgs: ['--disable-back-forward-cache'] })
    context = machine.context
  })
  afterAll(async () => {
    await machine?.close()
    await place?.close()
  })

  for (const storage of ['opfs', 'indexeddb']) {
    it(
      'release the store when they go into the back/forward cache, and open it again when they come back ' +
        `(${storage})`,
      async () => {
        const [a, b] = [await visit(context, place.url), await visit(context, place.url)]
        const name = `back ${storage}`
        await open(a, name, storage)
        await open(b, name, storage)
        await upsert(a, 'first')
        await leave(a, place.url)
        await upsert(b, 'second')
        expect(await count(b)).toBe(2)
        await comeBack(a)
        expect(await count(a)).toBe(2)
        await upsert(a, 'third')
        expect(await count(b)).toBe(3)
        await a.close()
        await b.close()
      },
    )

    it(
      'pass the store to another tab when they are frozen, and get their answers when they wake ' + `(${storage})`,
      async () => {
        const [a, b] = [await visit(context, place.url), await visit(context, place.url)]
        const name = `freeze ${storage}`
        await open(a, name, storage)
        await open(b, name, storage)
        await a.evaluate(() => {
          // These calls are made before the freeze. Some of them are still running when it comes.
          window.written = Promise.all(
            Array.from({ length: 40 }, async (_, i) => {
              await new Promise((resolve) => setTimeout(resolve, i * 3))
              return window.db.upsert('c', [{ id: `${i}`, vector: [1, i] }]).then(
                () => `${i}`,
                (error: { code: string }) => error.code,
              )
            }),
          )
        })
        const cdp = await context.newCDPSession(a)
        await cdp.send('Page.setWebLifecycleState', { state: 'frozen' })
        await count(b)
        await upsert(b, 'meanwhile')
        await cdp.send('Page.setWebLifecycleState', { state: 'active' })
        const outcomes = await a.evaluate(() => window.written)
        expect(outcomes.filter((outcome, i) => outcome !== `${i}`)).toEqual([])
        const there = await b.evaluate((ids) => window.db.get('c', ids), outcomes)
        expect(there.every(Boolean)).toBe(true)
        await upsert(a, 'after')
        expect(await count(b)).toBe(outcomes.length + 2)
        await a.close()
        await b.close()
      },
    )
  }

  it('stay in the back/forward cache if the shared worker of direct reads starts only then', async () => {
    const [asked, starts] = [signal(), signal()]
    const slow = await site({ shared: () => (asked.give(), starts.given) })
    const [a, b] = [await visit(context, slow.url), await visit(context, slow.url)]
    await open(a, 'late', 'opfs')
    await open(b, 'late', 'opfs')
    await asked.given
    await leave(a, slow.url)
    starts.give()
    await b.evaluate(
      () =>
        new Promise((resolve) => {
          const options = { type: 'module', name: 'nidus-wasm' } as const
          new SharedWorker('/dist/worker-opfs.js', options).port.onmessage = resolve
        }),
    )
    await comeBack(a)
    await upsert(a, 'first')
    expect(await count(b)).toBe(1)
    await a.close()
    await b.close()
    await slow.close()
  })

  it("continue when the renderer of the leader's tab crashes", async () => {
    const [a, b] = [await visit(context, place.url), await visit(context, place.url)]
    await open(a, 'crash', 'opfs')
    await open(b, 'crash', 'opfs')
    await upsert(a, 'first')
    const cdp = await context.newCDPSession(a)
    const crashed = new Promise((resolve) => a.once('crash', resolve))
    void cdp.send('Page.crash').catch(() => {})
    await crashed
    await upsert(b, 'second')
    expect(await count(b)).toBe(2)
    await a.close()
    await b.close()
  })
})

describe('the next write of a follower', () => {
  for (const kind of ['chromium', 'firefox'] as const) {
    for (const storage of ['opfs', 'indexeddb']) {
      it(`succeeds when the leader's tab is closed or reloaded (${kind}, ${storage})`, async () => {
        const place = await site()
        const machine = await browser(kind)
        try {
          const name = `closed ${storage}`
          let [a, b] = [await visit(machine.context, place.url), await visit(machine.context, place.url)]
          await open(a, name, storage)
          await open(b, name, storage)
          for (let n = 0; n < 6; n++) {
            await upsert(a, `a${n}`)
            if (n % 2) await a.reload()
            else {
              await a.close()
              a = await visit(machine.context, place.url)
            }
            expect(await upsert(b, `b${n}`)).toBe(1)
            await a.waitForFunction(() => 'nidus' in window)
            await open(a, name, storage)
            ;[a, b] = [b, a]
          }
          expect(await count(a)).toBe(12)
        } finally {
          await machine.close()
          await place.close()
        }
      })
    }
  }
})

describe('eight tabs, closed and killed at random', () => {
  for (const [kind, storage] of [
    ['chromium', 'opfs'],
    ['firefox', 'indexeddb'],
  ] as const) {
    it(`lose no record, write none twice, and answer every call (${kind}, ${storage})`, async () => {
      const result = await run({ kind, storage, seconds: 8, least: 40, seed: 7 })
      expect(result).toMatchObject({ lost: 0, doubled: 0, unknown: 0 })
      expect(result.acknowledged).toBeGreaterThan(30)
      expect(result.closed + result.killed + result.away).toBeGreaterThan(0)
      console.log(`${kind}, ${storage}: ${JSON.stringify(result)}`)
    })
  }
})
