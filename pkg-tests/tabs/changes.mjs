// Threads stand for tabs, as in ./leaders.mjs. All of them write and listen, and the leader is ended again and again.
// Sometimes they pause. Then each must know what is in the store, from its events or after a reset. Wrong events are
// counted: those that came twice, those of changes that were not committed, and those that are missing.
//   node pkg-tests/tabs/changes.mjs --changes 1000 [--relaxed]
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isMain } from '../../scripts/lib.mjs'
import { Locks } from './locks.mjs'
import { startThread } from './thread.mjs'
import { waits } from './until.mjs'

const TABS = 4
const PAUSE_EVERY = 5

export async function run({ changes = 100, relaxed = false, say = () => {} }) {
  const root = mkdtempSync(join(tmpdir(), 'nidus-changes-'))
  const wasm = await WebAssembly.compile(readFileSync(new URL('../../dist/nidus.wasm', import.meta.url)))
  const locks = new Locks()
  const lead = 'nidus-wasm:leader:changes'
  const deleting = new Set()
  const told = new Set()
  const gone = new Set()
  const wrong = []
  const result = {
    changes: 0,
    killed: 0,
    closed: 0,
    writes: 0,
    events: 0,
    resets: 0,
    uncommitted: 0,
    missed: 0,
    calms: 0,
  }
  const { fail, until } = waits()
  let tabs = []
  let count = 0
  let led = () => {}
  locks.onGrant = (name, worker) => {
    if (name !== lead) return
    for (const tab of tabs) if (tab.worker !== worker || tab.ready) tab.leaders++
    led()
  }

  const start = () => {
    const tab = count++
    const script = new URL('./changes-tab.mjs', import.meta.url)
    const own = startThread(script, tab, { tab, root, wasm, relaxed }, { locks, fail })
    const { worker } = own
    Object.assign(own, { ready: false, leaders: 0, resets: 0, present: undefined })
    const waiting = new Map()
    /** Sends the tab a question, and resolves with its answer. */
    own.ask = (question, answer) => {
      const answered = new Promise((resolve) => waiting.set(answer, resolve))
      if (question) worker.postMessage(question)
      return until(`the answer "${answer}" of tab ${tab}`, answered)
    }
    worker.on('message', (message) => {
      if (message.ask !== undefined) return locks.ask(worker, message)
      if (message.release !== undefined) return locks.release(worker, message.release)
      if (message.begun) result.writes++
      if (message.deleting) deleting.add(message.deleting)
      if (message.told || message.toldGone) result.events++
      for (const id of message.told ?? []) told.add(id)
      for (const id of message.toldGone ?? []) gone.add(id)
      if (message.reset) {
        result.resets++
        if (++own.resets > own.leaders) wrong.push(`tab ${tab}: ${own.resets} resets after ${own.leaders} new leaders`)
      }
      if (message.missed) {
        result.missed++
        wrong.push(`tab ${tab} was not told: ${message.missed.join(', ')}`)
      }
      if (message.wrong) wrong.push(message.wrong)
      for (const [answer, resolve] of waiting) {
        if (message[answer] === undefined) continue
        waiting.delete(answer)
        resolve(message[answer])
      }
    })
    tabs.push(own)
    return own
  }
  const opened = async () => {
    const tab = start()
    await tab.ask(undefined, 'open')
    tab.ready = true
  }
  /** Lets all tabs pause, and checks that what each was told agrees with the store. */
  const calm = async () => {
    await Promise.all(tabs.map((tab) => tab.ask({ calm: true }, 'calm')))
    const present = await tabs[0].ask({ list: true }, 'present')
    await Promise.all(tabs.map((tab) => tab.ask({ expect: present }, 'agrees')))
    result.calms++
    const there = new Set(present)
    // With relaxed durability, a write that was told may be lost with its leader.
    for (const id of told) if (id.endsWith('kept') && !there.has(id) && !relaxed) result.uncommitted++
    // Everything that a tab sent before it paused has arrived.
    for (const id of gone) if (!deleting.has(id)) result.uncommitted++
    told.clear()
    gone.clear()
  }

  try {
    for (let i = 0; i < TABS; i++) await opened()
    while (result.changes < changes && wrong.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 60))
      const leader = tabs.find(({ worker }) => worker === locks.holder(lead))
      if (!leader) continue
      const next = new Promise((resolve) => (led = resolve))
      tabs = tabs.filter((tab) => tab !== leader)
      const changed = `another tab to lead after tab ${leader.tab}`
      if (Math.random() < 0.2) {
        result.closed++
        const closed = leader.ask({ close: true }, 'closed')
        await until(changed, next)
        await closed
        await leader.end()
      } else {
        result.killed++
        await until(`the end of tab ${leader.tab}`, leader.end())
        await until(changed, next)
      }
      result.changes++
      await opened()
      if (result.changes % PAUSE_EVERY !== 0) continue
      await calm()
      for (const { worker } of tabs) worker.postMessage({ go: true })
      if (result.changes % 50 === 0) say(JSON.stringify(result))
    }
    await calm()
    await Promise.all(tabs.map((tab) => tab.ask({ close: true }, 'closed')))
    if (wrong.length || result.uncommitted)
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
