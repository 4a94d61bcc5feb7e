// Runs the tests of ./inside within a Durable Object of a real workerd.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../common/folder'
import { bundle, serve } from './harness.mjs'

const directory = temporaryFolder('workerd')
const inside = (name: string) => fileURLToPath(new URL(`./inside/${name}.ts`, import.meta.url))
const ofVitest = createRequire(createRequire(import.meta.url).resolve('vitest/package.json'))
await bundle(directory, inside('object'), {
  alias: {
    vitest: inside('vitest'),
    chai: ofVitest.resolve('chai'),
    '@vitest/expect': ofVitest.resolve('@vitest/expect'),
  },
})
const served = await serve(directory, {
  objects: { Store: true, Plain: false },
  flags: ['enhanced_error_serialization'],
})
afterAll(async () => {
  // It is killed, because a normal stop would wait for a test that hangs.
  await served.kill()
})

const ask = async (path: string) => (await fetch(served.url + path)).text()
const names = JSON.parse(await ask('/tests')) as string[]

describe('in workerd', () => {
  it('has tests', () => {
    expect(names.length).toBeGreaterThan(45)
  })

  it.each(names.map((name, i) => [name, i] as const))('%s', async (_, i) => {
    expect(await ask(`/?test=${i}`)).toBe('passed')
  })

  it('an object without SQL is refused', async () => {
    expect(JSON.parse(await ask('/plain'))).toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringContaining('new_sqlite_classes') as string,
    })
  })
})
