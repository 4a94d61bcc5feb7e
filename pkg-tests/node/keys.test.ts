import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { temporaryFolder } from '../common/folder'
import { otherDimension } from '../../src/ts/errors/errors'

const parent = temporaryFolder('keys')
const q = [1, 0, 0]
const memory = { storage: 'memory', dimension: 3 } as const

it('says what to do about another dimension, a store that exists, and a search that was aborted', async () => {
  const name = join(parent, 'texts')
  const db = await Nidus.open(name, { dimension: 3 })
  await db.upsert('c', [{ id: 'a', vector: q }])
  const tar = new Uint8Array(await new Response(db.export()).arrayBuffer())
  await expect(db.search(q, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: 'ABORTED',
    message: expect.not.stringContaining('written'),
  })
  await db.close()
  await expect(Nidus.open(name, { dimension: 4 })).rejects.toMatchObject({
    code: 'DIMENSION_MISMATCH',
    // The core and TypeScript must have the same text.
    message: otherDimension(3, 4).message,
  })
  await expect(Nidus.import(name, tar)).rejects.toMatchObject({
    code: 'ALREADY_EXISTS',
    message: expect.stringContaining('replace: true'),
  })
})

it('suggests the right key for the names that other products use', async () => {
  const db = await Nidus.open('keys', memory)
  for (const [wrong, right] of [
    ['limit', 'topK'],
    ['k', 'topK'],
    ['where', 'filter'],
    ['collection', 'collections'],
  ] as const) {
    await expect(db.search(q, { [wrong]: 1 })).rejects.toThrow(
      `search: unknown option \`${wrong}\`: did you mean \`${right}\`?`,
    )
  }
  for (const [wrong, right] of [
    ['metadata', 'attrs'],
    ['metadatas', 'attrs'],
    ['payload', 'attrs'],
  ] as const) {
    await expect(db.upsert('c', [{ id: 'a', vector: q, [wrong]: {} }])).rejects.toThrow(
      `record 0 (id "a"): unknown key \`${wrong}\`: did you mean \`${right}\`?`,
    )
  }
  await expect(Nidus.open('other', { ...memory, metric: 'dot' } as never)).rejects.toThrow('always the cosine')
  await expect(db.search(q, { filter: { year: { gte: 1 } } as never })).rejects.toThrow('did you mean `$gte`?')
  await expect(db.search(q, { filter: { title: { $regex: 'x' } } as never })).rejects.toThrow(
    /\$startsWith.*\$icontains.*\$containsAny.*\$exists.*did you mean `\$glob`/,
  )
  for (const [wrong, right] of [
    ['$startswith', '$startsWith'],
    ['$ilike', '$iglob'],
    ['$all', '$containsAll'],
    ['$containAny', '$containsAny'],
    ['$iContains', '$icontains'],
  ] as const)
    await expect(db.count('c', { title: { [wrong]: 'x' } } as never)).rejects.toThrow(`did you mean \`${right}\`?`)
  await db.close()
})

it('treats undefined as absent, uses own keys only, and takes only objects as filters', async () => {
  const db = await Nidus.open('keys', memory)
  class Options {
    topK = 1
  }
  Object.defineProperty(Options.prototype, 'helper', { value: 1, enumerable: true })
  expect(await db.search(q, { topK: undefined, where: undefined } as never)).toEqual([])
  expect(await db.search(q, new Options())).toEqual([])
  expect(await db.search(q, new Proxy({ topK: 1 }, {}))).toEqual([])
  expect(await db.search(q, Object.assign(Object.create(null), { topK: 1, [Symbol('s')]: 1 }))).toEqual([])
  for (const filter of [null, 0, '', false, [], 'x', new Map(), new Date(), () => 1]) {
    for (const call of [
      () => db.search(q, { filter } as never),
      () => db.searchMany([q], { filter } as never),
      () => db.count('c', filter as never),
      () => db.deleteWhere('c', filter as never),
      () => db.records('c', { filter } as never).next(),
    ]) {
      await expect((async () => call())(), String(filter)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
  }
  await db.close()
})

it('reports INVALID_ARGUMENT if an object cannot be read', async () => {
  const db = await Nidus.open('keys', memory)
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const gone = proxy as never
  const endless = new Array(2 ** 32 - 1) as never
  const calls: (() => unknown)[] = [
    () => Nidus.open(gone),
    () => Nidus.open('x', gone),
    () => Nidus.open('x', { storage: gone }),
    () => Nidus.import('x', gone, { storage: 'memory' }),
    () => Nidus.fromStatic(gone),
    () => db.search(gone),
    () => db.search(q, gone),
    () => db.search(q, { filter: gone }),
    () => db.search(q, { signal: gone }),
    () => db.search(q, { collections: gone }),
    () => db.upsert('c', gone),
    () => db.upsert('c', [gone]),
    () => db.get('c', gone),
    () => db.setMeta('c', gone),
    () => db.get('c', endless),
    () => db.delete('c', endless),
    () => db.upsert('c', endless),
    () => db.searchMany(endless),
    () => db.search(q, { collections: endless }),
    () => db.upsert('c', [, { id: 'a', vector: q }] as never),
    () =>
      db.upsert('c', [
        {
          id: 'a',
          get vector(): number[] {
            throw new Error('no')
          },
        },
      ]),
    () => db.upsert('c', [{ id: Symbol('a') as never, vector: q }]),
    () => db.search([1n, 0, 0] as never),
    () => db.search(q, { topK: '5' as never }),
    () => db.search(q, { minScore: NaN }),
    () => db.search(q, { withVectors: 1 as never }),
    () => db.upsert('c', [], { transfer: 'yes' as never }),
  ]
  for (const [i, call] of calls.entries())
    await expect((async () => call())(), `call ${i}: ${call}`).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(await db.count()).toBe(0)
  await db.close()
})

it('refuses a misspelt flag of every command of the command line, and suggests the right flag', async () => {
  const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
  const run = (...args: string[]) =>
    new Promise<{ code: unknown; out: string }>((resolve) =>
      execFile(process.execPath, [cli, ...args], (error, out, err) => resolve({ code: error?.code, out: out + err })),
    )
  const { out: help } = await run('--help')
  const flags = [...new Set([...help.matchAll(/--([a-z-]+)/g)].map(([, flag]) => flag!))]
  expect(flags).toEqual(
    expect.arrayContaining([
      'vector',
      'like',
      'top',
      'collection',
      'filter',
      'min-score',
      'batch',
      'ids',
      'replace',
      'json',
      'help',
      'version',
    ]),
  )
  const commands = [...help.matchAll(/^ {2}([a-z]+) DIR/gm)].map(([, command]) => command!)
  for (const [i, flag] of flags.entries()) {
    const { code, out } = await run(commands[i % commands.length]!, 'nowhere', `--${flag}x=1`)
    expect([code, out], flag).toEqual([2, expect.stringContaining(`--${flag}x: did you mean \`--${flag}\`?`)])
  }
})

it('says what to pass instead of a hit or a proxy', async () => {
  const db = await Nidus.open('keys', memory)
  await db.upsert('c', [{ id: 'a', vector: q, attrs: { n: 1 } }])
  const hits = await db.search(q, { withVectors: true })
  await expect(db.upsert('c', hits as never)).rejects.toThrow(
    'record 0 (id "a"): unknown key `collection`: pass only a hit\'s id, vector, attrs',
  )
  expect(
    await db.upsert(
      'c',
      hits.map(({ id, vector, attrs }) => ({ id, vector: vector!, attrs })),
    ),
  ).toBe(1)
  const proxied = <T extends object>(of: T) => new Proxy(of, {})
  for (const call of [
    () => db.search(proxied(new Float32Array(3))),
    () => db.upsert('c', [{ id: 'b', vector: proxied(new Float32Array(3)) }]),
    () => db.upsert('c', { ids: ['b'], vectors: proxied(new Float32Array(3)) }),
    () => db.upsert('c', [{ id: 'b', vector: q, attrs: { seen: proxied(new Date()) } }]),
    () => db.count('c', { seen: { $lt: proxied(new Date()) } }),
  ])
    await expect(call(), `${call}`).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('in a proxy (markRaw it)'),
    })
  // Plain objects and lists work inside a proxy.
  expect(
    await db.upsert(
      'c',
      proxied([proxied({ id: 'b', vector: proxied([0, 1, 0]), attrs: proxied({ n: 1, tags: proxied(['x']) }) })]),
    ),
  ).toBe(1)
  expect((await db.search(proxied([0, 1, 0]), proxied({ filter: proxied({ n: 1 }), topK: 1 })))[0]!.attrs).toEqual({
    n: 1,
    tags: ['x'],
  })
  await db.close()
})
