// Tests with a host that is read asynchronously and stops answering: which calls wait for it, and what ends the wait.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { Nidus, type StorageHost, type SyncAccessHandle } from 'nidus-wasm'
import { codeOf, SOON, turnsOf } from '../common/api'
import { temporaryFolder } from '../common/folder'
import { random } from '../common/model'

const D = 96
const ROWS = 6000
const root = temporaryFolder('waits')
const { next } = random(4)
const vector = () => Float32Array.from({ length: D }, () => next() - 0.5)
let bytes: { data: Uint8Array; log: Uint8Array }

beforeAll(async () => {
  const db = await Nidus.open(join(root, 'store'), { dimension: D })
  await db.upsert('c', {
    ids: Array.from({ length: ROWS }, (_, i) => `d${i}`),
    vectors: Float32Array.from({ length: ROWS * D }, () => next() - 0.5),
  })
  await db.close()
  bytes = { data: readFileSync(join(root, 'store/data')), log: readFileSync(join(root, 'store/log')) }
})

/** Returns a host that answers until `silent` is set. */
function quietHost() {
  const asked: { signal: AbortSignal | undefined; answer: () => void }[] = []
  const host = { silent: false, asked, onAsk: () => {}, closed: false }
  const refuse = () => {
    throw new Error('it is only read')
  }
  const handle = (of: Uint8Array): SyncAccessHandle => ({
    readAsync(at, length, signal) {
      const answer = of.slice(at, at + length)
      if (!host.silent) return Promise.resolve(answer)
      return new Promise((resolve) => {
        asked.push({ signal, answer: () => resolve(answer) })
        host.onAsk()
      })
    },
    write: refuse,
    truncate: refuse,
    flush() {},
    getSize: () => of.length,
    close() {},
  })
  const storage: StorageHost = {
    kind: 'quiet',
    open: async () => ({ data: handle(bytes.data), log: handle(bytes.log) }),
    create: async () => refuse(),
    promote: async () => refuse(),
    commit: async () => {},
    destroy: async () => refuse(),
    close: async () => void (host.closed = true),
  }
  return Object.assign(host, { storage })
}

async function opened() {
  const host = quietHost()
  const db = await Nidus.open('quiet', { storage: host.storage, readOnly: true, memory: 'compact' })
  host.silent = true
  /** Resolves at the next request to the host. */
  const nextAsk = () => new Promise<void>((resolve) => (host.onAsk = resolve))
  return { host, db, nextAsk }
}

describe('a host that does not answer', () => {
  it('a search ends with its signal, which the host gets as well', async () => {
    const { host, db, nextAsk } = await opened()
    const stop = new AbortController()
    const ask = nextAsk()
    const search = codeOf(() => db.search(vector(), { signal: stop.signal }))
    await ask
    const reads = [...host.asked]
    expect(reads.every(({ signal }) => signal?.aborted === false)).toBe(true)
    stop.abort()
    expect(await turnsOf(search)).toBeLessThan(SOON)
    expect(await search).toBe('ABORTED')
    expect(reads.every(({ signal }) => signal?.aborted === true)).toBe(true)
    // An answer that comes too late is ignored.
    for (const { answer } of host.asked) answer()
    host.silent = false
    expect(await db.search(vector(), { topK: 3 })).toHaveLength(3)
    expect(await db.get('c', ['d7'])).toMatchObject([{ id: 'd7' }])
    await db.close()
    expect(host.closed).toBe(true)
  })

  it('close ends all waiting calls, with a signal and without one', async () => {
    const { host, db, nextAsk } = await opened()
    const ask = nextAsk()
    const waiting = [
      codeOf(() => db.get('c', ['d1'])),
      codeOf(() => db.search(vector())),
      codeOf(() => db.search(vector(), { signal: new AbortController().signal })),
      codeOf(() => db.records('c').next()),
    ]
    const exporting = codeOf(async () => {
      for await (const part of db.export()) void part
    })
    await ask
    await db.close()
    expect(await Promise.all(waiting)).toEqual(['CLOSED', 'CLOSED', 'CLOSED', 'CLOSED'])
    expect(['CLOSED', 'ABORTED']).toContain(await exporting)
    expect(host.closed).toBe(true)
    expect(host.asked.every(({ signal }) => signal?.aborted)).toBe(true)
  })

  it('close waits for a read that is answered', async () => {
    const { host, db, nextAsk } = await opened()
    const ask = nextAsk()
    const found = db.get('c', ['d5'])
    await ask
    const closing = db.close()
    host.silent = false
    for (const { answer } of host.asked) answer()
    expect(await found).toMatchObject([{ id: 'd5' }])
    await closing
  })
})
