import { expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { init, Segment } from 'nidus-wasm/segment'
import { failingHost as host } from '../common/failing-host'

it('salvages in the page from one host of the user into another, although the page has the smaller wasm', async () => {
  const empty = () => ({ data: new Uint8Array(), log: new Uint8Array() })
  const first = host(empty())
  const db = await Nidus.open('x', { dimension: 2, storage: first.own })
  await db.upsert('c', [
    { id: 'a', vector: [1, 0] },
    { id: 'b', vector: [0, 1] },
  ])
  await db.close()
  const into = host(empty())
  expect((await Nidus.salvage('x', 'y', { storage: host(first.log.current()).own, into: into.own })).documents).toBe(2)
  const wasm = new URL('../../dist/nidus-page.wasm', import.meta.url)
  await expect(Nidus.salvage('x', 'y', { wasm, storage: 'opfs' })).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringContaining('nidus.wasm'),
  })
  await init()
  expect(Segment.inMemory(3).rowCount).toBe(0)
})
