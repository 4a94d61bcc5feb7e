import { join } from 'node:path'
import { expect, it } from 'vitest'
import { apiSuite } from '../common/api'
import { codesSuite } from '../common/codes'
import { shapeSuite } from '../common/shape'
import { Nidus } from 'nidus-wasm'
import { arraysHost, type ArraysHost } from '../common/arrays'
import { temporaryFolder } from '../common/folder'

const root = temporaryFolder('api')

let n = 0
shapeSuite('memory, searched by two workers', {
  fresh: () => `w${n++}`,
  options: () => ({ storage: 'memory', workers: 2 }),
  again: false,
})
codesSuite('memory', { fresh: () => `c${n++}`, options: () => ({ storage: 'memory' }), again: false })
for (const suite of [apiSuite, shapeSuite])
  suite('memory', { fresh: () => `m${n++}`, options: () => ({ storage: 'memory' }), again: false })
codesSuite('fs in compact memory', {
  fresh: () => join(root, `c${n++}`),
  options: () => ({ memory: 'compact' }),
  again: true,
})
for (const suite of [apiSuite, shapeSuite])
  suite('fs', { fresh: () => join(root, `deep/er/s${n++}`), options: () => ({}), again: true })
for (const suite of [apiSuite, shapeSuite])
  suite('fs in compact memory', {
    fresh: () => join(root, `compact/s${n++}`),
    options: () => ({ memory: 'compact' }),
    again: true,
  })

// A host has no names, so opening the same store again means the host that was used last.
const hosts = new Map<string, ArraysHost>()
let current = ''
for (const [what, setUp] of [
  ['plain arrays', {}],
  ['arrays that are read asynchronously', { onlyAsync: true }],
  ['arrays and transactions', { transactional: true }],
] as const) {
  const place = (options: object) => ({
    fresh: () => {
      current = `h${n++}`
      hosts.set(current, arraysHost(setUp))
      return current
    },
    options: () => ({ storage: hosts.get(current)!, ...options }),
    again: true,
  })
  for (const suite of [apiSuite, shapeSuite]) suite(`a user's host over ${what}`, place({}))
  codesSuite(`a user's host over ${what}, in compact memory`, place({ memory: 'compact' }))
}

it('gives each host buffers that nobody changes later, and closes each handle once', () => {
  expect(hosts.size).toBeGreaterThan(20)
  for (const { made } of hosts.values()) for (const handle of made) expect(handle.untouched()).toBe(true)
})

it('has no persistence to ask for outside browsers', async () => {
  expect(await Nidus.persistence({ request: true })).toEqual({ state: 'unknown' })
})

it('takes tensors of transformers.js, and their rows without a copy', async () => {
  const { Tensor } = await import('@huggingface/transformers')
  const output = new Tensor('float32', Float32Array.from([3, 0, 0, 4, 0, 5, 12, 0]), [2, 4])
  const db = await Nidus.open('tensors', { storage: 'memory', dimension: output.dims[1]! })
  await db.upsert('c', { ids: ['a', 'b'], vectors: output.data as Float32Array })
  // This row is a view into the buffer of all rows.
  const row = (output as unknown as Record<number, typeof output>)[1]!.data as Float32Array
  expect(row.byteOffset).toBe(16)
  const hits = await db.search(row)
  expect(hits.map(({ id }) => id)).toEqual(['b', 'a'])
  expect(hits[0]!.score).toBeCloseTo(1, 6)
  expect([...(output.data as Float32Array)]).toEqual([3, 0, 0, 4, 0, 5, 12, 0])
  await db.close()
})
