// A Durable Object in a real workerd, driven and restarted from outside.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { durableObject } from 'nidus-wasm/durable-object'
import { run } from '../kill/durable-object.mjs'
import { codeOf } from '../common/api'
import { temporaryFolder } from '../common/folder'
import { bundle, serve, type Served } from './harness.mjs'
import { DIMENSION, digest, operate } from './work.mjs'

const root = temporaryFolder('do')
let served: Served | undefined
afterAll(() => served?.kill())

describe('durableObject, from outside', () => {
  it('the tables hold the bytes that files hold after the same operations, also after a restart', async () => {
    const directory = join(root, 'bytes')
    await bundle(directory, fileURLToPath(new URL('./driven.mjs', import.meta.url)))
    served = await serve(directory)
    const files = join(root, 'files')
    const db = await Nidus.open(files, { dimension: DIMENSION, autoCompact: false })
    const get = async (path: string) => {
      const response = await fetch(`${served!.url}/${path}`)
      expect([path, response.status]).toEqual([path, 200])
      return Buffer.from(await response.arrayBuffer())
    }
    let compactions = 0
    for (const [from, to] of [
      [0, 40],
      [40, 100],
    ] as const) {
      const lines = (await get(`write?seed=3&from=${from}&to=${to}&window=6`)).toString()
      expect(lines).toBe(Array.from({ length: to - from }, (_, i) => `${from + i}\n`).join(''))
      for (let number = from; number < to; number++) await operate(db, 3, number)
      const check = async () => {
        // `equals` is used so that a difference of megabytes is not printed.
        for (const file of ['data', 'log'])
          expect((await get(`file?file=${file}`)).equals(readFileSync(join(files, file))), file).toBe(true)
      }
      await check()
      await served.stop()
      served = await serve(directory)
      await check()
      const found = JSON.parse((await get('check')).toString()) as {
        digest: string
        generation: number
        further: boolean
      }
      expect(found).toMatchObject({
        digest: await digest(db),
        recovery: { bytes: 0, created: false },
        rubbish: 0,
        further: true,
      })
      compactions = found.generation
      await db.upsert('further', [
        { id: 'one', vector: new Float32Array(DIMENSION).fill(1), attrs: { count: await db.count('c') } },
      ])
      await check()
    }
    expect(compactions).toBeGreaterThan(1)
    await db.close()
    expect(served.output()).toBe('')
  })

  it('a store loses nothing that it acknowledged when workerd is killed', async () => {
    const { cycles, acknowledged, lost, doubled } = await run({ cycles: 20 })
    expect({ cycles, lost, doubled }).toEqual({ cycles: 20, lost: 0, doubled: 0 })
    expect(acknowledged).toBeGreaterThanOrEqual(100) // ten kills come after ten acknowledgements or more
  })
})

it('the entry can be imported in runtimes without Durable Objects', async () => {
  expect(await codeOf(() => durableObject({} as never))).toBe('INVALID_ARGUMENT')
  const storage = {
    sql: {
      exec: () => {
        throw new Error('SQL is not enabled')
      },
    },
    transactionSync: <T>(work: () => T) => work(),
    sync: async () => {},
  }
  expect(await codeOf(() => Nidus.open('x', { dimension: 4, storage: durableObject(storage) }))).toBe(
    'STORAGE_UNAVAILABLE',
  )
})
