// Odd inputs. Objects that seem empty are no filters, null on the command line is no filter, and a named pipe is no
// file of a store. No call may hang.
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Document } from '@langchain/core/documents'
import { FakeEmbeddings } from '@langchain/core/utils/testing'
import { Nidus, type Attrs, type Filter } from 'nidus-wasm'
import { NidusVectorStore } from 'nidus-wasm/langchain'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../common/api'
import { freshIn, temporaryFolder } from '../common/folder'
import { joined, tar } from '../common/tar'

const root = temporaryFolder('odd')
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const fresh = freshIn(root)
const Q = [1, 1, 1, 1]

async function filled(name = fresh()) {
  const db = await Nidus.open(name, { dimension: 4 })
  await db.upsert('c', [
    { id: 'a', vector: Q, attrs: { tenant: 'a', n: 3 } },
    { id: 'b', vector: [1, 2, 3, 4], attrs: { tenant: 'b' } },
  ])
  await db.close()
  return name
}
/** Runs Node. A process that hangs is killed, and reported as such. */
const node = (...args: string[]) =>
  new Promise<string>((resolve) =>
    execFile(process.execPath, args, { timeout: 30_000, killSignal: 'SIGKILL' }, (error, out, err) =>
      resolve(error?.killed ? 'hangs' : `${Number(error?.code ?? 0)} ${out}${err}`),
    ),
  )
const cli = (...args: string[]) => node(CLI, ...args)

class Getters {
  get tenant() {
    return 'a'
  }
}
class Private {
  #tenant = 'a'
  tell() {
    return this.#tenant
  }
}
class Fields {
  tenant = 'a'
}
const EMPTY: [string, () => object][] = [
  ['getters of a class', () => new Getters()],
  ['private fields', () => new Private()],
  ['inherited keys', () => Object.create({ tenant: 'a' }) as object],
  ['keys that are not enumerable', () => Object.defineProperty({}, 'tenant', { value: 'a' })],
]
describe('an object without visible keys', () => {
  it.each(EMPTY)('is not treated as an empty object: %s', async (_, make) => {
    const db = await Nidus.open('odd', { dimension: 4, storage: 'memory' })
    await db.upsert('c', [{ id: 'a', vector: Q }])
    await db.setMeta('c', { kept: 'yes' })
    const odd = make() as Filter
    const calls = [
      () => db.count('c', odd),
      () => db.search(Q, { filter: odd }),
      () => db.searchMany([Q], { filter: odd }),
      () => db.records('c', { filter: odd }).next(),
      () => db.deleteWhere('c', odd),
      () => db.deleteWhere('c', { $and: [odd] }),
      () => db.count('c', { $not: odd }),
      () => db.upsert('c', [{ id: 'b', vector: Q, attrs: odd as Attrs }]),
      () => db.upsert('c', { ids: ['b'], vectors: Float32Array.from(Q), attrs: [odd as Attrs] }),
      () => db.setMeta('c', odd as Record<string, string>),
    ]
    for (const call of calls) expect(await codeOf(call)).toBe('INVALID_ARGUMENT')
    expect([await db.count(), await db.getMeta('c')]).toEqual([1, { kept: 'yes' }])
    await db.close()
  })

  it('is a filter if it is a plain empty object of any realm, or an instance of a class with fields', async () => {
    const db = await Nidus.open('odd', { dimension: 4, storage: 'memory' })
    await db.upsert('c', [
      { id: 'a', vector: Q, attrs: { tenant: 'a' } },
      { id: 'b', vector: Q, attrs: Object.create(null) as Attrs },
    ])
    for (const filter of [{}, Object.create(null), JSON.parse('{}'), new Proxy({}, {}), { $and: [{}] }] as Filter[])
      expect(await db.count('c', filter)).toBe(2)
    expect(await db.count('c', new Fields() as unknown as Filter)).toBe(1)
    await db.close()
  })
})

describe('the command line', () => {
  it.each(['null', '0', '""', 'false', '[]'])('a filter that is %s is refused, and not ignored', async (filter) => {
    expect(await cli('search', await filled(), '--vector', '[1,1,1,1]', '--filter', filter)).toMatch(
      /^3 .*INVALID_ARGUMENT: the filter must be an object/,
    )
  })

  it.each([
    ['$int', '"abc"'],
    ['$int', '""'],
    ['$int', '"0x3"'],
    ['$int', '["3"]'],
    ['$float', '""'],
    ['$float', '"abc"'],
    ['$float', 'null'],
    ['$float', '[5]'],
    ['$float', 'true'],
  ])('a filter with { %s: %s } is refused by name', async (tag, given) => {
    expect(
      await cli('search', await filled(), '--vector', '[1,1,1,1]', '--filter', `{"n":{"$gt":{"${tag}":${given}}}}`),
    ).toMatch(new RegExp(`^3 .*INVALID_ARGUMENT: --filter: \\${tag} is`))
  })

  it(
    'an empty --min-score is refused, a long number in --vector is accepted, and an empty --collection names a ' +
      'collection',
    async () => {
      const store = await filled()
      expect(await cli('search', store, '--vector', '[1,1,1,1]', '--min-score', '')).toMatch(
        /^2 .*--min-score must be a number/,
      )
      expect(await cli('search', store, '--vector', '[12345678901234567890,1,1,1]', '--top', '1')).toMatch(/^0 /)
      expect(await cli('search', store, '--like', 'a', '--collection', '')).toMatch(/^3 .*NOT_FOUND/)
    },
  )

  it.each(['{"$int":null}', '{"$int":""}', '{"$int":"5","x":1}', '{"$int":["5"]}', '"5"', 'true'])(
    '%s in a vector of a line of JSON is refused',
    async (x) => {
      const file = fresh('.jsonl')
      writeFileSync(file, `{"id":"a","vector":[${x},1]}\n`)
      expect(await cli('import', fresh(), file)).toMatch(/^3 .*line 1: "vector" must be an array of numbers/)
    },
  )

  it.each(['1e999', '"1e999"', '"-1e999"'])('{ "$float": %s } does not become infinite', async (x) => {
    const file = fresh('.jsonl')
    writeFileSync(file, `{"id":"a","vector":[1],"attrs":{"x":{"$float":${x}}}}\n`)
    expect(await cli('import', fresh(), file)).toMatch(/^3 .*\$float is/)
  })
})

describe('an import', () => {
  it('may read a folder that is named like a file', async () => {
    const folder = fresh('.npy')
    await filled(folder)
    expect(await cli('import', fresh(), folder)).toMatch(/^0 2 documents/)
  })
  it('may read a file URL in a string, but no other address', async () => {
    const db = await Nidus.import(fresh(), `file://${await filled()}`)
    expect(await db.count()).toBe(2)
    await db.close()
    for (const source of [
      'https://example.com/x.tar',
      new URL('https://example.com/x.tar'),
      new URL('ftp://example.com/x.tar'),
    ])
      expect(await codeOf(() => Nidus.import(fresh(), source))).toBe('INVALID_ARGUMENT')
  })
  it('refuses an id that a matrix has twice, since one row would replace the other', async () => {
    const [matrix, ids] = [fresh('.npy'), fresh('.txt')]
    const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }\n"
    writeFileSync(
      matrix,
      Buffer.concat([
        Buffer.from([0x93, 78, 85, 77, 80, 89, 1, 0, header.length, 0]),
        Buffer.from(header),
        Buffer.from(Float32Array.from([1, 2, 3]).buffer),
      ]),
    )
    writeFileSync(ids, 'a\nb\na\n')
    const into = fresh()
    expect(await cli('import', into, matrix, '--ids', ids)).toMatch(
      /^3 .*INVALID_ARGUMENT: .* has the id "a" twice, in lines 1 and 3/,
    )
    expect(existsSync(into)).toBe(false)
  })
})

// The test mounts a file system that only Linux has and only root may mount.
it.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)(
  'says so if nothing can be written',
  async ({ skip }) => {
    const mount = fresh()
    mkdirSync(mount)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=100k', 'none', mount], { stdio: 'ignore' })
    } catch {
      return skip()
    }
    try {
      for (const name of [join(mount, 'new'), join(mount, 'new', 'er')])
        expect(await codeOf(() => Nidus.open(name, { dimension: 4 }))).toBe('STORAGE_UNAVAILABLE')
    } finally {
      execFileSync('umount', ['-l', mount])
    }
  },
)

// On Windows, folders have no named pipes.
describe.skipIf(process.platform === 'win32')("a named pipe in a store's folder", () => {
  const pipe = (path: string) => {
    rmSync(path, { force: true })
    execFileSync('mkfifo', [path])
  }
  const call = (code: string) =>
    node(
      '--input-type=module',
      '-e',
      `const { Nidus } = await import(${JSON.stringify(new URL('../../dist/node.js', import.meta.url).href)}); ` +
        `await Promise.resolve(${code}).then((r) => r?.close?.() ?? console.log('ok', JSON.stringify(r)), (e) => ` +
        'console.log(e.code, e.message))',
    )

  it.each(['data', 'log'])('named %s: every reading call is refused, and none waits for ever', async (which) => {
    const folder = fresh()
    const name = join(folder, 'in')
    await filled(name)
    pipe(join(name, which))
    const quoted = JSON.stringify(name)
    const ends = await Promise.all([
      cli('inspect', name),
      cli('export', name, fresh('.tar')),
      cli('import', fresh(), name),
      call(`Nidus.open(${quoted}, { readOnly: true })`),
      call(`Nidus.salvage(${quoted}, ${JSON.stringify(fresh())})`),
    ])
    for (const end of ends) expect(end).toMatch(/INVALID_ARGUMENT.* is no plain file/)
    expect(await cli('verify', name)).toMatch(/^1 [^]* is no plain file/)
    expect(await call(`Nidus.list({ root: ${JSON.stringify(folder)} })`)).toMatch(/^0 ok/)
  })

  it.each(['log.tmp', 'lock'])('named %s does not disturb a reader', async (which) => {
    const name = await filled()
    pipe(join(name, which))
    expect(await cli('verify', name)).toMatch(/^0 clean/)
    expect(await call(`Nidus.open(${JSON.stringify(name)})`)).toMatch(which === 'lock' ? /^0 LOCKED .*lock/ : /^0 $/)
  })
})

it('a dead link is reported as such by a read-only opening', async () => {
  const name = await filled()
  rmSync(join(name, 'log'))
  symlinkSync(join(root, 'nowhere'), join(name, 'log'))
  await expect(Nidus.open(name, { readOnly: true })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('a link that leads nowhere') as string,
  })
})

describe('a tar with long paths', () => {
  /** Returns a tar in POSIX's form, with the folders of a path in the field `prefix`. */
  const prefixed = (bytes: Uint8Array, prefix: string) => {
    const header = bytes.slice(0, 512)
    header.set(new TextEncoder().encode(prefix), 345)
    const sum = header.reduce((all, byte, i) => all + (i >= 148 && i < 156 ? 32 : byte), 0)
    header.set(new TextEncoder().encode(sum.toString(8).padStart(6, '0')), 148)
    return joined([header, bytes.slice(512)])
  }
  const pack = (store: string, folders: { data: string; log: string }) =>
    joined([
      ...(['data', 'log'] as const).map((name) =>
        prefixed(tar([{ name, bytes: new Uint8Array(readFileSync(join(store, name))) }], false), folders[name]),
      ),
      new Uint8Array(1024),
    ])

  it('is refused if data and log are in two folders', async () => {
    const store = await filled()
    const long = 'x'.repeat(90)
    const into = fresh()
    await expect(Nidus.import(into, pack(store, { data: `${long}/one`, log: `${long}/two` }))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('two folders') as string,
    })
    expect(readdirSync(root)).not.toContain(into.slice(root.length + 1))
    const db = await Nidus.import(into, pack(store, { data: `${long}/one`, log: `${long}/one` }))
    expect(await db.count()).toBe(2)
    await db.close()
  })
})

describe('LangChain', () => {
  const LOST: [string, object][] = [
    ['a Map', new Map([['a', 1]])],
    ['a Set', new Set(['a'])],
    ['a Date', new Date(0)],
    ...EMPTY.map(([name, make]): [string, object] => [name, make()]),
  ]
  const at = async () => {
    const db = await Nidus.open('odd', { dimension: 4, storage: 'memory' })
    return { db, store: new NidusVectorStore(new FakeEmbeddings(), { db }) }
  }
  it.each(LOST)('refuses metadata that would be lost: %s', async (_, metadata) => {
    const { db, store } = await at()
    await expect(
      store.addDocuments([new Document({ pageContent: 'x', metadata: metadata as Record<string, unknown> })]),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await db.count()).toBe(0)
    await db.close()
  })
  it('refuses a key of metadata that is reserved for the text', async () => {
    const { db } = await at()
    expect(await codeOf(() => new NidusVectorStore(new FakeEmbeddings(), { db, textKey: '$metadata' }))).toBe(
      'INVALID_ARGUMENT',
    )
    await db.close()
  })
})

describe("a store's own files", () => {
  it('are not overwritten by an export of this store or of another one, also not through a link', async () => {
    const [store, other] = [await filled(), await filled()]
    const links = fresh()
    mkdirSync(links)
    const targets = [...['data', 'log', 'lock'].flatMap((name) => [join(store, name), join(other, name)])]
    for (const name of ['data', 'log']) {
      symlinkSync(join(other, name), join(links, `${name}.tar`))
      targets.push(join(links, `${name}.tar`))
    }
    const before = [store, other].map((folder) =>
      readdirSync(folder).map((name) => readFileSync(join(folder, name), 'hex')),
    )
    for (const target of targets)
      expect(await cli('export', store, target)).toMatch(/^3 .*INVALID_ARGUMENT: .* belongs to a store/)
    expect(
      [store, other].map((folder) => readdirSync(folder).map((name) => readFileSync(join(folder, name), 'hex'))),
    ).toEqual(before)
    expect(await cli('export', store, join(store, 'backup.tar'))).toMatch(/^0 /)
    // A file with such a name elsewhere is no part of a store.
    expect(await cli('export', store, join(links, 'data'))).toMatch(/^0 /)
  })
  it('are not what a name in capitals asks for: that writes lines of JSON', async () => {
    const file = fresh('.JSONL')
    expect(await cli('export', await filled(), file)).toMatch(/^0 /)
    expect(readFileSync(file, 'utf8')).toMatch(/^{"dimension":4}/)
    expect(await cli('import', fresh(), file)).toMatch(/^0 2 documents/)
  })
})

describe('the name of a store on disk', () => {
  it.each(['https://example.com/notes', 'opfs://notes', 'a\0b', 'file:///tmp/a%00b'])(
    '%j is refused as a path, and makes no folder',
    async (name) => {
      for (const call of [
        () => Nidus.open(name, { dimension: 4 }),
        () => Nidus.open(name, { readOnly: true }),
        () => Nidus.destroy(name),
      ])
        expect(await codeOf(call)).toBe('INVALID_ARGUMENT')
      expect(readdirSync('.').filter((file) => /^(https|opfs):/.test(file))).toEqual([])
    },
  )
  it('may be a file URL with one slash', async () => {
    const path = fresh()
    const db = await Nidus.open(`file:${path}`, { dimension: 4 })
    await db.close()
    expect(readdirSync(path).sort()).toEqual(['data', 'log'])
  })
  it('is refused with the reason if it is a file or a dead link', async () => {
    const [file, link, source] = [fresh(), fresh(), await filled()]
    writeFileSync(file, 'mine')
    symlinkSync(join(root, 'nowhere'), link)
    for (const [name, what] of [
      [file, 'is no folder'],
      [link, 'a link that leads nowhere'],
    ] as const) {
      for (const call of [
        () => Nidus.open(name, { dimension: 4 }),
        () => Nidus.open(name, { readOnly: true }),
        () => Nidus.destroy(name),
        () => Nidus.import(name, source),
        () => Nidus.salvage(source, name),
      ]) {
        await expect(call()).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
          message: expect.stringContaining(what) as string,
        })
      }
    }
    expect(readFileSync(file, 'utf8')).toBe('mine')
  })
})
