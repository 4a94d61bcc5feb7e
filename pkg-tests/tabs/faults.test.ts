import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BrowserContext, CDPSession, Page } from 'playwright'
import { firefox as firefoxSettings } from '../../scripts/browsers.mjs'
import { trapping, withMemory } from './broken-wasm.mjs'
import { browser, site, visit } from './pages.mjs'

const D = 256
type Outcome = { codes: (number | string)[]; count: number | string; texts: string[] }

/** In the page: opens a store. */
const open = (page: Page, name: string, storage: string, wasm?: Buffer) =>
  page.evaluate(
    async ([name, storage, wasm, dimension]) => {
      const options: { dimension: number; storage: string; autoCompact: boolean; wasm?: Uint8Array } = {
        dimension: Number(dimension),
        storage: storage!,
        autoCompact: false,
      }
      if (wasm) options.wasm = Uint8Array.from(atob(wasm), (c) => c.charCodeAt(0))
      window.store = await window.package.Nidus.open(name!, options)
    },
    [`${name} ${storage}`, storage, wasm?.toString('base64') ?? '', String(D)],
  )
/** In the page: writes batches of rows, one after the other, and returns the result of each. */
const write = (page: Page, from: number, batches: number, rows = 200) =>
  page.evaluate(
    async ([from, batches, rows, dimension]) => {
      const codes: (number | string)[] = []
      const texts: string[] = []
      for (let b = 0; b < batches!; b++) {
        const ids = Array.from({ length: rows! }, (_, i) => `${from! + b}-${i}`)
        const vectors = Float32Array.from({ length: rows! * dimension! }, (_, i) => Math.sin(i + from! + b))
        try {
          codes.push(await window.store.upsert('c', { ids, vectors }))
        } catch (error) {
          codes.push((error as { code: string }).code)
          texts.push((error as Error).message)
        }
      }
      return { codes, texts, count: await window.store.count().catch((error: { code: string }) => error.code) }
    },
    [from, batches, rows, D],
  ) as Promise<Outcome>
const close = (page: Page) =>
  page.evaluate(() =>
    window.store.close().then(
      () => 'closed',
      (error: { code: string }) => error.code,
    ),
  )
const taken = ({ codes }: Outcome) => codes.filter((code) => typeof code === 'number').length

declare global {
  interface Window {
    store: {
      upsert(collection: string, batch: object): Promise<number>
      count(): Promise<number>
      search(query: Float32Array, options: object): Promise<object[]>
      close(): Promise<void>
      closed: Promise<{ reason: string; error?: { code: string } }>
    }
    package: {
      Nidus: { open(name: string, options: object): Promise<Window['store']>; destroy(name: string): Promise<void> }
    }
  }
}

async function arrive(context: BrowserContext, url: string) {
  const page = await visit(context, url)
  await page.evaluate(() => (window.package = (window as unknown as { nidus: Window['package'] }).nidus))
  return page
}

describe('a full quota', () => {
  let place: Awaited<ReturnType<typeof site>>
  beforeAll(async () => {
    place = await site()
  })
  afterAll(() => place?.close())

  const full: ['chromium' | 'firefox', string][] = [
    ['chromium', 'opfs'],
    ['chromium', 'indexeddb'],
    ['firefox', 'opfs'],
    ['firefox', 'indexeddb'],
  ]
  for (const [kind, storage] of full) {
    it(`fails with QUOTA_EXCEEDED and loses no acknowledged write (${kind}, ${storage})`, async () => {
      // Firefox must be told the quota before it starts. Chromium must be told before the page first asks for it.
      const prefs = {
        firefoxUserPrefs: { ...firefoxSettings.firefoxUserPrefs, 'dom.quotaManager.temporaryStorage.fixedLimit': 6000 },
      }
      const machine = await browser(kind, kind === 'firefox' ? prefs : {})
      try {
        const page = await arrive(machine.context, place.url)
        if (kind === 'chromium') {
          const cdp: CDPSession = await machine.context.newCDPSession(page)
          await cdp.send('Storage.overrideQuotaForOrigin', {
            origin: new URL(place.url).origin,
            quotaSize: storage === 'opfs' ? 8_000_000 : 3_000_000,
          })
        }
        await open(page, 'full', storage)
        const outcome = await write(page, 0, 40)
        expect(new Set(outcome.codes.filter((code) => code !== 200)), outcome.texts[0]).toEqual(
          new Set(['QUOTA_EXCEEDED']),
        )
        expect(taken(outcome)).toBeGreaterThan(3)
        expect(outcome.count).toBe(200 * taken(outcome))
        // A store with a full quota can still be read, closed and opened.
        expect(await close(page)).toBe('closed')
        await open(page, 'full', storage)
        expect(await page.evaluate(() => window.store.count())).toBe(outcome.count)
        expect(await close(page)).toBe('closed')
        await page.evaluate((name) => window.package.Nidus.destroy(name), `full ${storage}`)
      } finally {
        await machine.close()
      }
    })
  }
})

describe('a full quota under relaxed durability', () => {
  type Told = { batch: string; acknowledged: boolean; safe: boolean }
  /**
   * In the page: writes and flushes until some calls were refused. Returns for each batch what the page was told,
   * including by `close`.
   */
  const writeAndFlush = (page: Page, who: string) =>
    page.evaluate(
      async ([who, dimension]) => {
        const store = window.store as unknown as {
          upsert(collection: string, batch: object): Promise<number>
          flush(): Promise<void>
        }
        const told: Told[] = []
        const codes: string[] = []
        for (let n = 0; n < 60 && codes.length < 4; n++) {
          const mine = { batch: `${who}-${n}`, acknowledged: false, safe: false }
          told.push(mine)
          const ids = Array.from({ length: 200 }, (_, i) => `${mine.batch}-${i}`)
          const failed = (error: { code?: string }) => void codes.push(error.code ?? String(error))
          await store
            .upsert('c', {
              ids,
              vectors: Float32Array.from({ length: 200 * Number(dimension) }, (_, i) => Math.sin(i + n)),
            })
            .then(() => (mine.acknowledged = true), failed)
          const before = told.filter(({ acknowledged }) => acknowledged)
          if (n % 3 === 2)
            await store.flush().then(
              () => before.forEach((batch) => (batch.safe = true)),
              (error: { code?: string }) => {
                failed(error)
                for (const batch of before) if (!batch.safe) batch.acknowledged = false
              },
            )
        }
        return { told, codes }
      },
      [who, String(D)],
    ) as Promise<{ told: Told[]; codes: string[] }>

  for (const storage of ['opfs', 'indexeddb']) {
    it(
      `a batch that was reported as flushed is there afterwards, in the leader's tab and in a follower's ` +
        `(chromium, ${storage})`,
      async () => {
        const place = await site()
        const machine = await browser('chromium')
        try {
          const [a, b] = [await arrive(machine.context, place.url), await arrive(machine.context, place.url)]
          const cdp = await machine.context.newCDPSession(a)
          const { origin } = new URL(place.url)
          await cdp.send('Storage.overrideQuotaForOrigin', {
            origin,
            quotaSize: storage === 'opfs' ? 8_000_000 : 4_000_000,
          })
          for (const page of [a, b]) {
            await page.evaluate(
              async ([storage, dimension]) =>
                void (window.store = await window.package.Nidus.open('relaxed and full', {
                  dimension: Number(dimension),
                  storage,
                  autoCompact: false,
                  durability: 'relaxed',
                })),
              [storage, String(D)],
            )
          }
          const both = await Promise.all([writeAndFlush(a, 'a'), writeAndFlush(b, 'b')])
          const codes = both.flatMap(({ codes }) => codes)
          expect(codes.length, 'the quota was never met').toBeGreaterThan(0)
          expect(
            codes.every((code) => ['QUOTA_EXCEEDED', 'FAILED', 'OUTCOME_UNKNOWN'].includes(code)),
            codes.join(' '),
          ).toBe(true)
          // A close that succeeds promises the same as a flush.
          for (const [i, page] of [a, b].entries())
            if ((await close(page)) === 'closed') for (const batch of both[i]!.told) batch.safe ||= batch.acknowledged
          await cdp.send('Storage.overrideQuotaForOrigin', { origin })
          const c = await arrive(machine.context, place.url)
          const there = await c.evaluate(async (storage) => {
            const store = (await window.package.Nidus.open('relaxed and full', { storage })) as unknown as {
              records(collection: string): AsyncIterable<{ id: string }>
              close(): Promise<void>
            }
            const counts: Record<string, number> = {}
            for await (const { id } of store.records('c'))
              counts[id.replace(/-\d+$/, '')] = (counts[id.replace(/-\d+$/, '')] ?? 0) + 1
            await store.close()
            return counts
          }, storage)
          const told = both.flatMap(({ told }) => told)
          expect(told.filter(({ safe }) => safe).length).toBeGreaterThan(2)
          expect(told.filter(({ safe, batch }) => safe && there[batch] !== 200)).toEqual([])
          expect(Object.entries(there).filter(([, count]) => count !== 200)).toEqual([])
        } finally {
          await machine.close()
          await place.close()
        }
      },
    )
  }
})

describe('in Chromium', () => {
  let place: Awaited<ReturnType<typeof site>>
  let machine: Awaited<ReturnType<typeof browser>>
  beforeAll(async () => {
    place = await site()
    machine = await browser('chromium')
  })
  afterAll(async () => {
    await machine?.close()
    await place?.close()
  })

  for (const storage of ['opfs', 'indexeddb']) {
    it(
      'a store whose storage is cleared becomes FAILED, and the next opening makes a new one ' + `(${storage})`,
      async () => {
        const page = await arrive(machine.context, place.url)
        await open(page, 'cleared', storage)
        expect((await write(page, 0, 2)).count).toBe(400)
        const cdp = await machine.context.newCDPSession(page)
        await cdp.send('Storage.clearDataForOrigin', { origin: new URL(place.url).origin, storageTypes: 'all' })
        const after = await write(page, 10, 2)
        expect(after.codes).toEqual(['FAILED', 'FAILED'])
        expect(after.count).toBe('FAILED')
        expect(await page.evaluate(() => window.store.closed.then(({ reason }) => reason))).toBe('failed')
        expect(await close(page)).toBe('closed')
        await open(page, 'cleared', storage)
        expect((await write(page, 20, 1)).count).toBe(200)
        await close(page)
        await page.close()
      },
    )

    it(`no write is acknowledged once the storage was cleared and another tab made it anew (${storage})`, async () => {
      const page = await arrive(machine.context, place.url)
      const other = await arrive(machine.context, place.url)
      await open(page, 'made anew', storage)
      expect((await write(page, 0, 2)).count).toBe(400)
      const cdp = await machine.context.newCDPSession(page)
      await cdp.send('Storage.clearDataForOrigin', { origin: new URL(place.url).origin, storageTypes: 'all' })
      await open(other, 'made anew', storage)
      expect((await write(other, 10, 1)).count).toBe(200)
      expect((await write(page, 20, 1)).codes).toEqual(['FAILED'])
      expect(await close(page)).toBe('closed')
      expect((await write(other, 30, 1)).count).toBe(400)
      expect(await close(other)).toBe('closed')
      await open(page, 'made anew', storage)
      expect(await page.evaluate(() => window.store.count())).toBe(400)
      await close(page)
      await page.close()
      await other.close()
    })

    it(`after the storage was cleared, a flush, a compaction and an import fail (${storage})`, async () => {
      const page = await arrive(machine.context, place.url)
      const cdp = await machine.context.newCDPSession(page)
      const { origin } = new URL(place.url)
      const clear = () => cdp.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' })
      const codeOf = (call: string) => page.evaluate(`${call}.then(() => 'done', ({ code }) => code)`)
      await open(page, 'flushed', storage)
      expect((await write(page, 0, 1)).count).toBe(200)
      if (storage === 'opfs') {
        // A write that fails before its commit must leave no answer behind for the flush.
        await cdp.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1 })
        expect((await write(page, 1, 1, 5000)).codes).toEqual(['QUOTA_EXCEEDED'])
        await cdp.send('Storage.overrideQuotaForOrigin', { origin })
      }
      await clear()
      expect(await codeOf('store.flush()')).toBe('FAILED')
      await close(page)

      await open(page, 'compacted', storage)
      expect((await write(page, 0, 1)).count).toBe(200)
      await clear()
      expect(await codeOf('store.compact()')).toBe('FAILED')
      await close(page)

      await open(page, 'exported', storage)
      expect((await write(page, 0, 40)).count).toBe(8000)
      await page.evaluate(`(async () => {
        const tar = new Uint8Array(await new Response(store.export()).arrayBuffer())
        const half = new Promise((resolve) => (window.goOn = resolve))
        const source = new ReadableStream({
          async start(controller) {
            controller.enqueue(tar.slice(0, tar.length / 2))
            await half
            controller.enqueue(tar.slice(tar.length / 2))
            controller.close()
          },
        })
        window.imported = nidus.Nidus.import('imported', source, { storage: '${storage}' })
        window.imported.catch(() => {})
      })()`)
      await expect.poll(() => page.evaluate(`nidus.Nidus.list().then((all) => all.length)`)).toBe(2)
      await clear()
      expect(await codeOf('(goOn(), imported)')).toBe('FAILED')
      await close(page)
      await page.close()
    })

    it(
      'if the wasm memory cannot grow, writes fail with OUT_OF_MEMORY, and stored records stay and can be ' +
        `searched (${storage})`,
      async () => {
        const page = await arrive(machine.context, place.url)
        await open(page, 'memory', storage, withMemory(80))
        const outcome = await write(page, 0, 60)
        expect(new Set(outcome.codes.filter((code) => code !== 200)), outcome.texts[0]).toEqual(
          new Set(['OUT_OF_MEMORY']),
        )
        expect(taken(outcome)).toBeGreaterThan(3)
        expect(outcome.count).toBe(200 * taken(outcome))
        expect(
          await page.evaluate(
            (d) => window.store.search(new Float32Array(d).fill(1), { topK: 3 }).then(({ length }) => length),
            D,
          ),
        ).toBe(3)
        expect(await close(page)).toBe('closed')
        await open(page, 'memory', storage)
        expect(await page.evaluate(() => window.store.count())).toBe(outcome.count)
        await close(page)
        await page.close()
      },
    )

    for (const where of ['store_write', 'store_apply', 'store_beginSearch']) {
      it(
        `after a panic in ${where} the store is FAILED, every call is answered, and no acknowledged write is lost ` +
          `(${storage})`,
        async () => {
          const page = await arrive(machine.context, place.url)
          const name = `panic ${where}`
          await open(page, name, storage)
          expect((await write(page, 0, 1)).count).toBe(200)
          await close(page)
          await open(page, name, storage, trapping(where))
          const settled = await page.evaluate(async (d) => {
            const calls = [
              ...Array.from({ length: 5 }, (_, i) =>
                window.store.upsert('c', { ids: [`x${i}`], vectors: new Float32Array(d).fill(1) }),
              ),
              window.store.search(new Float32Array(d).fill(1), {}),
              window.store.count(),
            ]
            return (await Promise.allSettled(calls)).map((call) =>
              call.status === 'fulfilled' ? 'answered' : (call.reason as { code: string }).code,
            )
          }, D)
          expect(settled.filter((code) => code === 'FAILED').length).toBeGreaterThan(0)
          expect(
            settled.every((code) => code === 'FAILED' || code === 'answered'),
            settled.join(' '),
          ).toBe(true)
          expect(
            await page.evaluate(() => window.store.closed.then(({ reason, error }) => [reason, error?.code])),
          ).toEqual(['failed', 'FAILED'])
          expect(await page.evaluate(() => window.store.count().catch((error: { code: string }) => error.code))).toBe(
            'FAILED',
          )
          expect(await close(page)).toBe('closed')
          await open(page, name, storage)
          const count = await page.evaluate(() => window.store.count())
          expect(count === 200 || count === 205, `${count}`).toBe(true)
          await close(page)
          await page.close()
        },
      )
    }
  }
})
