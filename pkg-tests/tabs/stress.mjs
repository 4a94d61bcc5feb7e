// Eight tabs write to one store and search it, while tabs are closed, killed, frozen, and navigated to another page.
// The leader's tab is chosen most often.
//   node pkg-tests/tabs/stress.mjs --minutes 10 --browser chromium --storage opfs [--seed 1]
// Each tab reports each acknowledged write at once. The end shows that no acknowledged record is lost, none was written
// twice, and no request of a living tab failed or stayed without an answer.
import { parseArgs } from 'node:util'
import { isMain } from '../../scripts/lib.mjs'
import { mulberry32 } from '../common/mulberry32.mjs'
import { browser, site, visit } from './pages.mjs'
import { waits } from './until.mjs'

const TABS = 8
/** Only a fault makes an answer take this long. */
const ANSWER_MS = 600_000

/**
 * In the page: writes batches of three records, one of which is overwritten again and again. Checks and reports every
 * answer.
 */
async function work({ session, name, storage }) {
  const { Nidus } = window.nidus
  const db = await Nidus.open(name, { dimension: 8, storage, autoCompact: false })
  const vector = (n) => Array.from({ length: 8 }, (_, i) => Math.sin((session + 1) * 12.9898 + n * 78.233 + i * 37.719))
  const tell = (what) => window.report(session, what)
  window.outstanding = new Map()
  window.halt = false
  const ask = async (what, promise) => {
    const key = Symbol(what)
    window.outstanding.set(key, { what, since: performance.now() })
    try {
      return { ok: await promise }
    } catch (error) {
      return { code: error.code ?? String(error) }
    } finally {
      window.outstanding.delete(key)
    }
  }
  let n = 0
  let acknowledged = -1
  const writer = async () => {
    while (!window.halt) {
      const mine = n++
      const records = [`${session}-${mine}-a`, `${session}-${mine}-b`].map((id) => ({
        id,
        vector: vector(mine),
        attrs: { session, n: mine },
      }))
      void tell({ begun: mine })
      const { ok, code } = await ask(
        'upsert',
        db.upsert('c', [...records, { id: `${session}-last`, vector: vector(mine), attrs: { session, n: mine } }]),
      )
      if (ok === 3) acknowledged = mine
      // The tab waits for the report. Otherwise, on a busy machine, tabs report more than can be read, and no other
      // message arrives in time.
      await tell(ok === 3 ? { done: mine } : { failed: mine, code })
      if (code) return
      await new Promise((resolve) => setTimeout(resolve, 60))
    }
  }
  const reader = async () => {
    while (!window.halt) {
      const expected = acknowledged
      if (expected >= 0) {
        const { ok, code } = await ask(
          'search',
          db.search(vector(expected), { topK: 2, filter: { session, n: expected } }),
        )
        if (ok ? !ok.some(({ id, score }) => id.startsWith(`${session}-${expected}-`) && score > 0.9999) : code)
          void tell({ wrong: `search for ${expected}: ${code ?? JSON.stringify(ok)}` })
        const got = await ask('get', db.get('c', [`${session}-${expected}-a`]))
        if (!got.ok?.[0]) void tell({ wrong: `get of ${expected}: ${got.code ?? 'nothing'}` })
      }
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
  }
  window.working = Promise.all([writer(), writer(), reader(), reader()])
  window.db = db
}

/**
 * In the page: returns how often the log has an upsert of each id. It reads the bytes, because a second upsert cannot
 * be seen in any other way.
 */
export async function timesWritten({ name, storage }) {
  const answer = (request) =>
    new Promise(
      (resolve, reject) => (
        (request.onsuccess = () => resolve(request.result)),
        (request.onerror = () => reject(request.error))
      ),
    )
  let log
  if (storage === 'opfs') {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('nidus-wasm')
    const directory = await root.getDirectoryHandle(encodeURIComponent(name))
    const files = await Promise.all(
      ['log.0', 'log.1'].map(async (file) => (await directory.getFileHandle(file)).getFile()),
    )
    log = new Uint8Array(await files.find(({ size }) => size > 0).arrayBuffer())
  } else {
    const db = await answer(indexedDB.open(`nidus-wasm:${name}`))
    const extents = await answer(
      db
        .transaction(['extents'])
        .objectStore('extents')
        .getAll(IDBKeyRange.bound(['log'], ['log', []])),
    )
    db.close()
    log = new Uint8Array(await new Blob(extents).arrayBuffer())
  }
  const view = new DataView(log.buffer)
  const text = new TextDecoder()
  const counts = new Map()
  for (let at = 0; at < log.length; at += 8 + view.getUint32(at, true)) {
    if (view.getUint32(at + 4, true) !== 3) continue
    const collection = Number(view.getBigUint64(at + 8, true))
    const id = at + 16 + collection
    const string = text.decode(log.subarray(id + 8, id + 8 + Number(view.getBigUint64(id, true))))
    counts.set(string, (counts.get(string) ?? 0) + 1)
  }
  return [...counts]
}

export async function run({ kind = 'chromium', storage = 'opfs', seconds = 30, least = 0, seed = 1, say = () => {} }) {
  const next = mulberry32(seed)
  const { fail, until } = waits(ANSWER_MS)
  const { url, close } = await site()
  const machine = await until(
    `${kind} to start`,
    browser(kind, kind === 'chromium' ? { ignoreDefaultArgs: ['--disable-back-forward-cache'] } : {}),
  )
  const { context } = machine
  const name = `stress ${seed}`
  /** For each session: the batches that were begun, acknowledged, and of unknown outcome. */
  const sessions = []
  const wrong = []
  const isWrong = (text) => {
    wrong.push(text)
    fail(new Error(text))
  }
  await context.exposeFunction('report', (session, { begun, done, failed, code, wrong: text }) => {
    const own = sessions[session]
    if (begun !== undefined) own.begun.add(begun)
    if (done !== undefined) own.done.add(done)
    if (failed !== undefined) {
      if (!own.over) own.unknown.add(failed)
      if (!own.over) isWrong(`session ${session}: upsert ${failed}: ${code}`)
    }
    if (text && !own.over) isWrong(`session ${session}: ${text}`)
  })
  const start = async () => {
    const session = sessions.push({ begun: new Set(), done: new Set(), unknown: new Set(), over: false }) - 1
    const page = await until(`the page of session ${session}`, visit(context, url))
    page.on('crash', () => (sessions[session].over = true))
    page.on('pageerror', (error) => sessions[session].over || isWrong(`session ${session}: ${error.stack ?? error}`))
    await until(`session ${session} to open the store`, page.evaluate(work, { session, name, storage }))
    say(`session ${session} is at work`)
    return { page, session }
  }
  const events = { closed: 0, killed: 0, frozen: 0, away: 0 }
  const end = async (tab, how) => {
    sessions[tab.session].over = true
    if (how === 'killed' && kind === 'chromium') {
      const cdp = await context.newCDPSession(tab.page)
      await until(
        `the crash of session ${tab.session}`,
        Promise.race([
          cdp.send('Page.crash').catch(() => {}),
          new Promise((resolve) => tab.page.once('crash', resolve)),
        ]),
      )
    } else if (how === 'away') await until(`session ${tab.session} to go to another page`, tab.page.goto('about:blank'))
    await until(`the page of session ${tab.session} to close`, tab.page.close())
  }
  try {
    // The oldest tab leads, because locks are granted in the order of the requests.
    const tabs = []
    for (let i = 0; i < TABS; i++) tabs.push(await start())
    const deadline = Date.now() + seconds * 1000
    const acknowledged = () => sessions.reduce((sum, { done }) => sum + done.size, 0)
    // A slow machine gets more time, until at least `least` batches are acknowledged.
    while (Date.now() < deadline || acknowledged() < least) {
      await new Promise((resolve) => setTimeout(resolve, 200 + next() * 1300))
      const index = next() < 0.6 ? 0 : Math.floor(next() * tabs.length)
      const what = next()
      if (what < 0.25 && kind === 'chromium') {
        events.frozen++
        const { page, session } = tabs[index]
        const cdp = await context.newCDPSession(page)
        await until(`session ${session} to freeze`, cdp.send('Page.setWebLifecycleState', { state: 'frozen' }))
        await new Promise((resolve) => setTimeout(resolve, 100 + next() * 500))
        await until(`session ${session} to thaw`, cdp.send('Page.setWebLifecycleState', { state: 'active' }))
        await cdp.detach()
        // The tab lost its place and asked for the lock again, so it is the last one now.
        tabs.push(...tabs.splice(index, 1))
      } else {
        const how = what < 0.6 ? 'killed' : what < 0.8 ? 'closed' : 'away'
        events[how]++
        const [tab] = tabs.splice(index, 1)
        await end(tab, how)
        // Other tabs may have been in the same renderer, and ended with it.
        for (let i = tabs.length - 1; i >= 0; i--)
          if (sessions[tabs[i].session].over) await end(tabs.splice(i, 1)[0], 'closed')
        while (tabs.length < TABS) tabs.push(await start())
      }
      say(
        `${Math.round((deadline - Date.now()) / 1000)} s left; ${sessions.length} tabs so far, ` +
          `${JSON.stringify(events)}, ${sessions.reduce((sum, { done }) => sum + done.size, 0)} batches`,
      )
      if (wrong.length) throw new Error(wrong.slice(0, 5).join('\n'))
    }
    const unanswered = []
    for (const { page, session } of tabs) {
      await until(
        `session ${session} to hear that it is to end`,
        page.evaluate(() => (window.halt = true)),
      )
      const left = await until(
        `session ${session} to end`,
        page.evaluate(
          (limit) =>
            Promise.race([
              window.working.then(() => []),
              new Promise((resolve) =>
                setTimeout(() => resolve([...window.outstanding.values()].map(({ what }) => what)), limit),
              ),
            ]),
          ANSWER_MS - 10_000,
        ),
      )
      for (const what of left) unanswered.push(`session ${session}: ${what}`)
    }
    if (unanswered.length) throw new Error(`unanswered:\n${unanswered.join('\n')}`)
    for (const tab of tabs.slice(1)) await end(tab, 'closed')
    const { last, present, docs } = await until(
      'all records',
      tabs[0].page.evaluate(async () => {
        const present = []
        const last = []
        for await (const { id, attrs } of window.db.records('c'))
          (id.endsWith('-last') ? last : present).push([id, Number(attrs.session), Number(attrs.n)])
        return { last, present, docs: await window.db.count('c') }
      }),
    )
    await until(
      'the last tab to close the store',
      tabs[0].page.evaluate(() => window.db.close()),
    )
    const written = new Map(await until('the log', tabs[0].page.evaluate(timesWritten, { name, storage })))
    const there = new Set(present.map(([id]) => id))
    if (there.size !== present.length || docs !== present.length + last.length) throw new Error('the same id twice')
    for (const [, session, n] of present) sessions[session].begun.add(n)
    let lost = 0
    let doubled = 0
    sessions.forEach(({ done, begun }, session) => {
      for (const n of begun) {
        const [a, b] = ['a', 'b'].map((part) => written.get(`${session}-${n}-${part}`) ?? 0)
        if (a !== b) wrong.push(`session ${session}: half of batch ${n}`)
        if (a !== (there.has(`${session}-${n}-a`) ? 1 : 0)) doubled++
        if (done.has(n) && !a) lost++
      }
      const newest = last.find(([, of]) => of === session)?.[2] ?? -1
      // Each tab has two writers, and each waits for its own writes. So a write can be made at most one place before
      // its turn.
      if (Math.max(-1, ...done) > newest + 1)
        wrong.push(`session ${session}: ${Math.max(...done)} was acknowledged, yet the last is ${newest}`)
    })
    const result = {
      tabs: sessions.length,
      ...events,
      acknowledged: acknowledged(),
      unknown: sessions.reduce((sum, { unknown }) => sum + unknown.size, 0),
      lost,
      doubled,
    }
    if (lost || doubled || wrong.length) throw new Error(`${JSON.stringify(result)}\n${wrong.slice(0, 10).join('\n')}`)
    return result
  } finally {
    await machine.close()
    await close()
  }
}

if (isMain(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '1' },
      browser: { type: 'string', default: 'chromium' },
      storage: { type: 'string', default: 'opfs' },
      seed: { type: 'string', default: '1' },
    },
  })
  const result = await run({
    kind: values.browser,
    storage: values.storage,
    seconds: Number(values.minutes) * 60,
    seed: Number(values.seed),
    say: (line) => process.stdout.write(`${line}\n`),
  })
  console.log(JSON.stringify(result))
}
