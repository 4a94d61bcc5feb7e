import { existsSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { codeOf } from '../common/api'
import { temporaryFolder } from '../common/folder'

const root = temporaryFolder('lock')
const open = (name: string) => Nidus.open(name, { dimension: 2 })
const one = [{ id: 'a', vector: [1, 0] }]

describe('a folder that is moved while its store is open', () => {
  it('is free after the store is closed, for us and for native', async () => {
    const [from, to] = [join(root, 'from'), join(root, 'to')]
    const db = await open(from)
    await db.upsert('c', one)
    renameSync(from, to)
    expect(await codeOf(() => db.upsert('c', one))).toBe('FAILED')
    expect(await codeOf(() => open(to))).toBe('LOCKED')
    await db.close()
    // Native takes over a lock that is older than a minute.
    expect(statSync(join(to, 'lock')).mtimeMs).toBeLessThan(Date.now() - 60_000)
    const again = await open(to)
    expect(await again.count()).toBe(1)
    await again.close()
    expect(readdirSync(to).sort()).toEqual(['data', 'log'])
    expect(existsSync(from)).toBe(false)
  })

  it('keeps the lock of another process, be it at the old place or at the new one', async () => {
    const [from, to] = [join(root, 'from2'), join(root, 'to2')]
    const db = await open(from)
    renameSync(from, to)
    const other = await open(from)
    writeFileSync(join(to, 'lock'), '1 1')
    await db.close()
    expect(readFileSync(join(to, 'lock'), 'utf8')).toBe('1 1')
    await other.upsert('c', one)
    await other.close()
  })
})

// Only Linux tells whether a thread of another process still runs.
describe.skipIf(process.platform !== 'linux')('a store that a worker thread has open', () => {
  const thread = async (name: string) => {
    const node = new URL('../../dist/node.js', import.meta.url).href
    const worker = new Worker(
      `import(${JSON.stringify(node)}).then(async ({ Nidus }) => {
      const db = await Nidus.open(${JSON.stringify(name)}, { dimension: 2 })
      await db.upsert('c', [{ id: 'a', vector: [1, 0] }])
      require('node:worker_threads').parentPort.postMessage('open')
      setInterval(() => {}, 1000)
    })`,
      { eval: true },
    )
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    return worker
  }

  it('is LOCKED while the thread lives, and free after it was terminated', async () => {
    const name = join(root, 'thread')
    const worker = await thread(name)
    expect(await codeOf(() => open(name))).toBe('LOCKED')
    await worker.terminate()
    const db = await open(name)
    expect(await db.count()).toBe(1)
    await db.close()
    expect(readdirSync(name).sort()).toEqual(['data', 'log'])
  })

  it('may be opened by another thread of the process, but not while its thread lives', async () => {
    const name = join(root, 'thread2')
    const first = await thread(name)
    await first.terminate()
    const second = await thread(name)
    expect(await codeOf(() => open(name))).toBe('LOCKED')
    await second.terminate()
    await (await open(name)).close()
  })
})
