// A worker that runs each test within an object of its own.
import { Nidus } from 'nidus-wasm'
import { durableObject } from 'nidus-wasm/durable-object'
import { apiSuite } from '../../common/api'
import { changesSuite } from '../../common/changes'
import { codesSuite } from '../../common/codes'
import { derivedSuite } from '../../common/derived'
import { textSuite } from '../../common/text'
import { transferSuite } from '../../common/transfer'
import { hostSuite } from './host'
import { use, type Place } from './place'
import { tests } from './vitest'

let n = 0
let current = ''
apiSuite('memory, in workerd', { fresh: () => `m${n++}`, options: () => ({ storage: 'memory' }), again: false })
// A host does not know the names of stores, so the options use the name that was made last.
apiSuite('a Durable Object', {
  fresh: () => (current = `s${n++}`),
  options: () => ({ storage: durableObject(use().storage, { name: current }) }),
  again: true,
})
codesSuite('a Durable Object in compact memory', {
  fresh: () => (current = `s${n++}`),
  options: () => ({ storage: durableObject(use().storage, { name: current }), memory: 'compact' }),
  again: true,
})
codesSuite('a Durable Object', {
  fresh: () => (current = `s${n++}`),
  options: () => ({ storage: durableObject(use().storage, { name: current }) }),
  again: true,
})
hostSuite()
changesSuite('a Durable Object', {
  fresh: () => (current = `s${n++}`),
  options: () => ({ storage: durableObject(use().storage, { name: current }) }),
  again: true,
})
transferSuite('memory, in workerd', { fresh: () => `m${n++}`, options: () => ({ storage: 'memory' }), again: false })
transferSuite('a Durable Object', {
  fresh: () => (current = `s${n++}`),
  options: () => ({ storage: durableObject(use().storage, { name: current }) }),
  again: true,
})
/** The key of the first piece of the file of the indexes of words. */
const FIRST = 4 * 2 ** 50
const sql = () => use().storage.sql
const tableOf = (name: string) => {
  const [row] = sql().exec('SELECT store FROM nidus_stores WHERE name = ?', name)
  return `nidus_extents_${row!['store']}`
}
derivedSuite(
  'a Durable Object',
  {
    fresh: () => `d${n++}`,
    options: () => ({ storage: durableObject(use().storage) }),
    again: true,
  },
  {
    read: async (name) => {
      const [row] = sql().exec(`SELECT bytes FROM ${tableOf(name)} WHERE id = ?`, FIRST)
      return row && new Uint8Array(row['bytes'] as ArrayBuffer)
    },
    write: async (name, bytes) =>
      void sql().exec(`INSERT OR REPLACE INTO ${tableOf(name)} (id, bytes) VALUES (?, ?)`, FIRST, bytes),
    all: async () => [...sql().exec(`SELECT name FROM sqlite_master WHERE name LIKE 'nidus%'`)].map(({ name }) => name),
  },
)
textSuite('memory, in workerd', { fresh: () => `m${n++}`, options: () => ({ storage: 'memory' }), again: false })
textSuite('a Durable Object', {
  fresh: () => (current = `s${n++}`),
  options: () => ({ storage: durableObject(use().storage, { name: current }) }),
  again: true,
})

interface Env {
  STORE: Namespace
  PLAIN: Namespace
}
interface Namespace {
  idFromName(name: string): unknown
  get(id: unknown): { fetch(request: Request): Promise<Response> }
}

export class Store {
  constructor(readonly ctx: Place) {}

  async fetch(request: Request): Promise<Response> {
    const test = tests[Number(new URL(request.url).searchParams.get('test'))]!
    use(this.ctx)
    try {
      await test.work()
      return new Response('passed')
    } catch (error) {
      const { name, message, stack } = error as Error
      return new Response(`${name}: ${message}\n${stack}`, { status: 500 })
    }
  }
}

export class Plain extends Store {
  override async fetch(): Promise<Response> {
    const error = await Nidus.open('x', { dimension: 4, storage: durableObject(this.ctx.storage) }).catch(
      (error: Error) => error,
    )
    return Response.json({ code: (error as { code?: string }).code, message: (error as Error).message })
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/tests') return Response.json(tests.map(({ name }) => name))
    const namespace = pathname === '/plain' ? env.PLAIN : env.STORE
    return namespace.get(namespace.idFromName(`object ${searchParams.get('test')}`)).fetch(request)
  },
}
