import { afterEach, expect, it, vi } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { codeOf } from '../common/api'
import { inWorker } from './in-worker'

afterEach(() => vi.restoreAllMocks())
const never = () => new Promise<never>(() => {})

it('reports what the browser says, and asks the browser to persist only on request', async () => {
  const persist = vi.spyOn(navigator.storage, 'persist')
  const { state, usage, quota } = await Nidus.persistence()
  expect(state).toBe((await navigator.storage.persisted()) ? 'persistent' : 'best-effort')
  expect(usage).toBeGreaterThanOrEqual(0)
  expect(quota).toBeGreaterThan(usage!)
  expect(persist).not.toHaveBeenCalled()
  const asked = await Nidus.persistence({ request: true })
  expect(persist).toHaveBeenCalledTimes(1)
  expect(asked.state).toBe((await persist.mock.results[0]!.value) ? 'persistent' : 'best-effort')
  for (const kept of [true, false]) {
    persist.mockResolvedValue(kept)
    expect((await Nidus.persistence({ request: true })).state).toBe(kept ? 'persistent' : 'best-effort')
  }
})

it('does not wait for a browser that fails or does not answer', async () => {
  vi.spyOn(navigator.storage, 'persist').mockImplementation(never)
  const { state, quota } = await Nidus.persistence({ request: true, timeout: 50 })
  expect([state, typeof quota]).toEqual(['unknown', 'number'])
  const estimate = vi.spyOn(navigator.storage, 'estimate').mockImplementation(never)
  vi.spyOn(navigator.storage, 'persisted').mockImplementation(never)
  expect(await Nidus.persistence({ timeout: 0 })).toEqual({ state: 'unknown' })
  estimate.mockRejectedValue(new TypeError('opaque'))
  vi.spyOn(navigator.storage, 'persist').mockRejectedValue(new TypeError('opaque'))
  expect(await Nidus.persistence({ request: true })).toEqual({ state: 'unknown' })
})

it('works without navigator.storage, and in a worker, which may not ask', async () => {
  vi.spyOn(navigator, 'storage', 'get').mockReturnValue(undefined as never)
  expect(await Nidus.persistence({ request: true })).toEqual({ state: 'unknown' })
  vi.restoreAllMocks()
  const worker = inWorker(async (url: string, load) => {
    const { Nidus } = (await load(url)) as typeof import('nidus-wasm')
    return (await Nidus.persistence({ request: true })).state
  })
  expect(await worker.run(new URL('../../dist/browser.js', import.meta.url).href)).toBe(
    (await Nidus.persistence()).state,
  )
  worker.end()
})

it('refuses unknown options', async () => {
  for (const options of [{ timeout: -1 }, { timeout: NaN }, { timeout: '1' }, { request: 1 }, 7]) {
    expect(await codeOf(() => Nidus.persistence(options as never))).toBe('INVALID_ARGUMENT')
  }
})
