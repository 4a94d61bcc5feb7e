// `npm run measure:www [passages]`: indexes about 20,000 passages of real text in the page, as a person would, and then
// types questions, while the browser records a trace.
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright'
import { median, percentile } from '../../bench/data/statistics.mjs'
import { chromium as settings } from '../../scripts/browsers.mjs'
import { at, main, say, step, Trouble } from '../../scripts/lib.mjs'
import { textsOf } from '../sets/texts.mjs'
import { previewPage } from './preview.mjs'

const PASSAGES = Number(process.argv[2] ?? 20_000)
const A_FILE = 50
const QUESTIONS = [
  'fear of small rooms',
  'a doctor for animals',
  'wait until it is too late',
  'two things that are the same',
  'a line on a map',
  'frozen water',
]

/**
 * Writes notes with many sections. Each section is another pair of senses of the dictionary, so no two are the same and
 * all words are real.
 */
function writeFiles(folder) {
  const { rows, texts } = textsOf('dictionary')
  const many = rows.length
  for (let file = 0; file * A_FILE < PASSAGES; file++) {
    const sections = Array.from({ length: Math.min(A_FILE, PASSAGES - file * A_FILE) }, (_, i) => {
      const n = file * A_FILE + i
      const other = texts[(n * 7 + Math.floor(n / many) + 1) % many]
      return `## ${rows[n % many][1]} ${n}\n\n${texts[n % many]}\n\n${other}\n`
    })
    const dir = join(folder, `part ${file % 8}`)
    mkdirSync(dir, { recursive: true })
    writeFileSync(join(dir, `notes ${file}.md`), `# Notes ${file}\n\n${sections.join('\n')}`)
  }
}

/** Records a trace of what the browser does during the work. */
async function traced(context, page, work) {
  const cdp = await context.newCDPSession(page)
  const events = []
  cdp.on('Tracing.dataCollected', ({ value }) => events.push(...value))
  await cdp.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: {
      includedCategories: [
        'toplevel',
        'devtools.timeline',
        'devtools.timeline.frame',
        'disabled-by-default-devtools.timeline',
      ],
    },
  })
  await work()
  const ended = new Promise((resolve) => cdp.once('Tracing.tracingComplete', resolve))
  await cdp.send('Tracing.end')
  await ended
  await cdp.detach()
  return events
}

/** Returns the milliseconds of each task on the page's main thread. That is the thread that handled the most keys. */
function mainThreadTasks(events) {
  const handled = new Map()
  for (const { name, args, pid, tid } of events) {
    if (name === 'EventDispatch' && args?.data?.type === 'input')
      handled.set(`${pid} ${tid}`, (handled.get(`${pid} ${tid}`) ?? 0) + 1)
  }
  const [thread] = [...handled].sort(([, a], [, b]) => b - a)[0] ?? []
  if (!thread) throw new Trouble('the trace has no keys')
  return events
    .filter(({ name, dur, pid, tid }) => name === 'RunTask' && dur !== undefined && `${pid} ${tid}` === thread)
    .map(({ dur }) => dur / 1000)
}

main(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nidus-measure-'))
  const { server, url } = await previewPage(folder)
  const context = await chromium.launchPersistentContext(join(folder, 'profile'), {
    ...settings,
    viewport: { width: 1280, height: 900 },
  })
  try {
    const page = context.pages()[0] ?? (await context.newPage())
    const phase = (name, timeout = 60_000) => page.locator(`#status[data-phase="${name}"]`).waitFor({ timeout })
    await page.goto(`${url}#set=files`)
    await phase('empty')
    writeFiles(join(folder, 'notes'))
    const began = performance.now()
    await step(`${PASSAGES} passages indexed`, async () => {
      await page.locator('#folder-files').setInputFiles(join(folder, 'notes'))
      await phase('indexing')
      await phase('ready', 3_600_000)
    })
    say(`  ${(PASSAGES / ((performance.now() - began) / 1000)).toFixed(0)} a second`)
    const reload = performance.now()
    await page.reload()
    await phase('ready')
    say(`  after a reload ready in ${(performance.now() - reload).toFixed(0)} ms`)
    // In this time the codes and the index of words are made.
    await page.waitForTimeout(8000)
    const [searches, embeddings] = [[], []]
    const note = async () => {
      const text = await page.locator('#timing').textContent()
      const [, ms] = /searched in ([\d.]+) ms/.exec(text) ?? []
      const [, understood] = /^([\d.]+) ms/.exec(await page.locator('#time-model').textContent()) ?? []
      if (ms) searches.push(Number(ms))
      if (understood) embeddings.push(Number(understood))
    }
    await page.evaluate(() => {
      globalThis.frames60 = []
      let last = performance.now()
      const next = (now) => {
        globalThis.frames60.push(now - last)
        last = now
        requestAnimationFrame(next)
      }
      requestAnimationFrame(next)
    })
    const events = await traced(context, page, async () => {
      for (const question of QUESTIONS) {
        await page.locator('#query').fill('')
        for (const word of question.split(' ')) {
          await page.locator('#query').pressSequentially(`${word} `, { delay: 70 })
          await page.waitForTimeout(180)
          await note()
        }
        await page.waitForTimeout(400)
        await note()
      }
    })
    const frames = (await page.evaluate(() => globalThis.frames60)).slice(1)
    const tasks = mainThreadTasks(events)
    const passages = await page.locator('#fact-documents').textContent()
    say(`\n  ${passages} passages, ${QUESTIONS.length} questions typed, ${tasks.length} tasks on the main thread`)
    say(
      `  longest task on the main thread: ${Math.max(...tasks).toFixed(1)} ms; over 16 ms: ` +
        `${tasks.filter((ms) => ms > 16).length}, over 50 ms: ${tasks.filter((ms) => ms > 50).length}`,
    )
    say(
      `  frames: ${frames.length}, median ${median(frames).toFixed(1)} ms, p99 ` +
        `${percentile(frames, 0.99).toFixed(1)} ms, longest ${Math.max(...frames).toFixed(1)} ms`,
    )
    say(
      `  search, the page's message to the store and back included: median ${median(searches).toFixed(1)} ms, ` +
        `worst ${Math.max(...searches).toFixed(1)} ms`,
    )
    say(
      `  question embedded, in a worker: median ${median(embeddings).toFixed(0)} ms, worst ` +
        `${Math.max(...embeddings).toFixed(0)} ms`,
    )
    await page.screenshot({ path: at('www/tests/.out/measured.png') })
  } finally {
    await context.close()
    await server.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
