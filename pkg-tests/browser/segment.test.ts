import { expect, it } from 'vitest'
import { inWorker } from './in-worker'

const url = new URL('../../dist/segment-browser.js', import.meta.url).href

it('a Segment works over a real OPFS handle, in a worker of the user', async () => {
  const worker = inWorker(async (url: string, load) => {
    const { init, Segment } = (await load(url)) as typeof import('nidus-wasm/segment')
    await init()
    const modules = performance.getEntriesByType('resource').flatMap(({ name }) => /[\w-]+\.wasm/.exec(name) ?? [])
    const root = await navigator.storage.getDirectory()
    const file = (await root.getFileHandle('segment-test', { create: true })) as unknown as {
      createSyncAccessHandle(): Promise<import('nidus-wasm/segment').SyncAccessHandle>
    }
    let segment = Segment.open(await file.createSyncAccessHandle(), { dimension: 2 })
    const first = segment.append(Float32Array.of(1, 0, 0, 1, 1, 1))
    const second = segment.append(Float32Array.of(-1, 0))
    segment.sync()
    const best = segment.search(Float32Array.of(3, 0), { topK: 2 })
    segment.truncateTo(3)
    segment.sync()
    segment.close()
    segment = Segment.open(await file.createSyncAccessHandle(), { dimension: 2 })
    const after = { rows: segment.rowCount, row: [...segment.row(2)] }
    const wrong = (() => {
      try {
        segment.append(Float32Array.of(1))
        return 'nothing'
      } catch (error) {
        return (error as { code: string }).code
      }
    })()
    segment.close()
    await root.removeEntry('segment-test')
    return { first, second, best, after, wrong, modules }
  })
  expect(await worker.run(url)).toEqual({
    first: 0,
    second: 3,
    best: [
      { row: 0, score: 1 },
      { row: 2, score: 1 },
    ],
    after: { rows: 3, row: [1, 1] },
    wrong: 'DIMENSION_MISMATCH',
    // One of both: it depends on the processor (docs/decisions/012-two-modules.md).
    modules: [expect.stringMatching(/^nidus(-relaxed)?\.wasm$/)],
  })
  worker.end()
})
