import { expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { breakable, patchedWorker } from './in-worker'

const D = 4
const DEAD = 8192
/** Waits for one turn without a timer: the browser slows the timers of a page that is not in front. */
const turn = () =>
  new Promise<void>((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => (port1.close(), resolve())
    port2.postMessage(0)
  })
async function rewrite(db: Nidus) {
  const ids = Array.from({ length: 1000 }, (_, i) => `${i}`)
  for (let time = 0; time * ids.length < 2 * DEAD; time++)
    await db.upsert('c', { ids, vectors: Float32Array.from({ length: ids.length * D }, (_, i) => Math.sin(i + time)) })
}
/** After the message "break" every compaction fails, because there is no room for a second pair. */
const script = breakable(`
  const full = () => new DOMException('injected', 'QuotaExceededError')
  const { truncate } = FileSystemSyncAccessHandle.prototype
  FileSystemSyncAccessHandle.prototype.truncate = function (size) {
    if (broken && size === 0) throw full()
    return truncate.call(this, size)
  }`)

it(
  'a page whose store is in a worker hears of a failed automatic compaction, also if its tab became the ' +
    'leader later',
  async () => {
    const name = `told ${Date.now()}`
    const workers: Worker[] = []
    const open = () =>
      Nidus.open(name, {
        dimension: D,
        storage: 'opfs',
        worker: () => (workers.push(patchedWorker(script)), workers.at(-1)!),
      })
    const [first, second] = [await open(), await open()]
    for (const worker of workers) worker.postMessage('break')
    const told = async (db: Nidus) => {
      while (!db.recovery.compactionError) await turn()
      expect(db.recovery.compactionError).toMatchObject({ code: 'QUOTA_EXCEEDED' })
      expect(await db.count()).toBe(1000)
    }
    await rewrite(first)
    await told(first)
    expect(second.recovery.compactionError).toBeUndefined()
    await first.close()
    await rewrite(second)
    await told(second)
    await second.close()
    await Nidus.destroy(name, { storage: 'opfs' })
  },
)
