// Threads stand for tabs: they run the browsers' entry over one directory. The leader is ended again and again,
// whatever it does at that moment. Only the locks are not those of a browser. At the end, wrong writes are counted:
// those that were made twice, those that were lost, and those whose tab was not told the outcome.
//   node pkg-tests/tabs/leaders.mjs --changes 2000 [--relaxed]
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isMain } from '../../scripts/lib.mjs'
import { Locks } from './locks.mjs'
import { startThread } from './thread.mjs'
import { waits } from './until.mjs'

const TABS = 4

export async function run({ changes = 100, relaxed = false, say = () => {} }) {
  const root = mkdtempSync(join(tmpdir(), 'nidus-leaders-'))
  const wasm = await WebAssembly.compile(readFileSync(new URL('../../dist/nidus.wasm', import.meta.url)))
  const locks = new Locks()
  const upserts = new Map()
  const deletes = new Map()
  const wrong = []
  const result = {
    changes: 0,
    killed: 0,
    closed: 0,
    writes: 0,
    acknowledged: 0,
    deleted: 0,
    twice: 0,
    lost: 0,
    unknown: 0,
    told: 0,
  }
  const { fail, until } = waits()
  let tabs = []
  let count = 0
  const lead = 'nidus-wasm:leader:leaders'
  let led = () => {}
  locks.onGrant = (name) => name === lead && led()

  const start = (last = false) => {
    const tab = count++
    const script = new URL('./leaders-tab.mjs', import.meta.url)
    const data = { tab, root, wasm, relaxed, compacts: !relaxed && tab % 3 === 0, last }
    const own = startThread(script, tab, data, { locks, fail })
    const { worker } = own
    Object.assign(own, { acknowledged: [], closed: undefined })
    own.open = new Promise((resolve) => (own.opened = resolve))
    own.closes = new Promise((resolve) => (own.wasClosed = resolve))
    let answersFor = []
    worker.on('message', (message) => {
      const { ask, release, begun, done, failed, deleting, deleted, flushing, flushed, open, present, closed } = message
      if (ask !== undefined) return locks.ask(worker, message)
      if (release !== undefined) return locks.release(worker, release)
      if (begun !== undefined) {
        upserts.set(begun, { acknowledged: false, safe: !relaxed })
        for (const other of tabs) if (Math.random() < 0.3) other.worker.postMessage({ id: begun })
      }
      if (done !== undefined) {
        upserts.get(done).acknowledged = true
        acknowledged++
        own.acknowledged.push(done)
      }
      if (failed !== undefined) upserts.get(failed).unknown = true
      if (deleting !== undefined) deletes.set(deleting, [...(deletes.get(deleting) ?? []), { tab, count: undefined }])
      if (deleted !== undefined)
        deletes.get(deleted).find((call) => call.tab === tab && call.count === undefined).count = message.count
      if (flushing) [answersFor, own.acknowledged] = [own.acknowledged, []]
      if (flushed === true || closed === true)
        for (const id of [...answersFor, ...(closed ? own.acknowledged : [])]) upserts.get(id).safe = true
      else if (flushed !== undefined || (closed !== undefined && relaxed)) {
        if ((flushed ?? closed) !== 'OUTCOME_UNKNOWN') wrong.push(`tab ${tab}: flush or close: ${flushed ?? closed}`)
        result.told++
        // A flush covers all writes that were acknowledged before it.
        answersFor = own.acknowledged = []
      } else if (closed !== undefined) wrong.push(`tab ${tab}: close: ${closed}`)
      if (message.wrong) {
        result.unknown++
        wrong.push(`tab ${tab}: ${message.wrong}`)
      }
      if (present) own.present = present
      if (open || present) own.opened()
      if (closed !== undefined) own.wasClosed((own.closed = closed))
    })
    tabs.push(own)
    return own
  }
  const opened = async (last) => {
    const tab = start(last)
    await until(`tab ${tab.tab} to open the store`, tab.open)
    return tab
  }

  let acknowledged = 0
  try {
    for (let i = 0; i < TABS; i++) await opened()
    while (result.changes < changes && wrong.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 60))
      // On a slow machine, too, there are two writes for each change of the leader.
      if (acknowledged < 2 * (result.changes + 1)) continue
      const leader = tabs.find(({ worker }) => worker === locks.holder(lead))
      if (!leader) continue
      const next = new Promise((resolve) => (led = resolve))
      tabs = tabs.filter((tab) => tab !== leader)
      const changed = `another tab to lead after tab ${leader.tab}`
      if (Math.random() < 0.15) {
        result.closed++
        leader.worker.postMessage({ close: true })
        await until(`${changed}, which closes`, next)
        await until(`the close of tab ${leader.tab}`, leader.closes)
        await leader.end()
      } else {
        result.killed++
        await until(`the end of tab ${leader.tab}`, leader.end())
        await until(changed, next)
      }
      result.changes++
      await opened()
      if (result.changes % 50 === 0) say(`${result.changes} changes, ${upserts.size} upserts`)
    }
    for (const tab of tabs) tab.worker.postMessage({ close: true })
    for (const { closes, tab } of tabs)
      await until(`the close of tab ${tab}, and an answer to all that it asked`, closes)
    await Promise.all(tabs.map((tab) => tab.end()))
    tabs = []
    const last = await opened(true)
    const present = new Set(last.present)
    for (const [id, { acknowledged, safe, unknown }] of upserts) {
      const calls = deletes.get(id) ?? []
      const taken = calls.reduce((sum, { count = 0 }) => sum + count, 0)
      result.writes += 1 + calls.length
      result.deleted += taken
      if (acknowledged) result.acknowledged++
      // Each id is written only once. So it can be deleted only once, and cannot be there afterwards.
      if (taken > 1 || (taken === 1 && present.has(id))) result.twice++
      const gone = acknowledged && safe && !unknown && !present.has(id)
      if (gone && taken === 0 && calls.every(({ count }) => count !== undefined)) result.lost++
    }
    if (wrong.length || result.twice || result.lost || result.unknown)
      throw new Error(`${JSON.stringify(result)}\n${wrong.slice(0, 8).join('\n')}`)
    return result
  } finally {
    await Promise.all(tabs.map((tab) => tab.end()))
    rmSync(root, { recursive: true, force: true, maxRetries: 5 })
  }
}

if (isMain(import.meta.url)) {
  const { values } = parseArgs({
    options: { changes: { type: 'string', default: '1000' }, relaxed: { type: 'boolean', default: false } },
  })
  console.log(
    JSON.stringify(
      await run({ changes: Number(values.changes), relaxed: values.relaxed, say: (line) => console.log(line) }),
    ),
  )
  process.exit(0)
}
