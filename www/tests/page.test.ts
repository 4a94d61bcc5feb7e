// Goes through the page of one's own files like a new visitor. Each test continues where the one before ended.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Page, Worker } from 'playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeNotes, writeSenses } from './notes'
import {
  answer,
  ask,
  drop,
  embedded,
  found,
  layoutShift,
  number,
  phase,
  serve,
  shots,
  thirdParty,
  violations,
  Visitor,
} from './visit'

const MANY = 1000
const READABLE = 6 // all except the photograph

const QUESTIONS: [question: string, file: string][] = [
  ['what did we decide about the leaking roof', 'house/roof.md'],
  ['when do I put tomatoes outside', 'house/garden.md'],
  ['how long to bake the loaf', 'recipes/bread.txt'],
  ['something vegetarian to cook with cumin', 'recipes/soup.html'],
  ['sightseeing in Portugal', 'travel/lisbon.md'],
  ['how to terminate the lease', 'house/contract.pdf'],
]

let site: Awaited<ReturnType<typeof serve>>
let visitor: Visitor
let folder: string
let notes: string
let many: string

beforeAll(async () => {
  site = await serve()
  folder = await mkdtemp(join(tmpdir(), 'nidus-notes-'))
  notes = await writeNotes(join(folder, 'notes'))
  many = await writeSenses(join(folder, 'senses'), MANY)
})
afterAll(async () => {
  await visitor?.leave()
  await site?.close()
  await rm(folder, { recursive: true, force: true })
})

const ownFiles = () => `${site.url}#set=files`
const name = (path: string) => `${basename(notes)}/${path}`
const shot = (page: Page, as: string) => page.screenshot({ path: join(shots, `${as}.png`) })

async function addFolder(page: Page, done = 'ready') {
  await page.locator('#folder-files').setInputFiles(notes)
  await phase(page, done)
}

describe('in Chromium', () => {
  test('tells a new visitor what to do', async () => {
    visitor = await Visitor.arrive(site.url)
    const { page } = visitor
    await page.goto(ownFiles())
    await phase(page, 'empty')
    await page.locator('#welcome').waitFor()
    await shot(page, 'welcome')
    expect(await violations(page)).toEqual([])
  })

  test('indexes files that are dropped', async () => {
    const { page } = visitor
    await page.evaluate(() => {
      const transfer = new DataTransfer()
      transfer.items.add(new File(['# Loose note\n\nThe bicycle needs new brake pads before the summer.'], 'loose.md'))
      transfer.items.add(new File([new Uint8Array([1, 0, 2])], 'broken.txt'))
      for (const type of ['dragenter', 'dragover', 'drop'])
        dispatchEvent(new DragEvent(type, { dataTransfer: transfer, cancelable: true }))
    })
    await phase(page, 'ready')
    expect(await page.locator('#outcome').textContent()).toMatch(
      /1 file indexed, 1 not readable.*broken\.txt: it is no text/,
    )
    expect(await number(page, 'fact-files')).toBe(1)
    expect((await ask(page, 'fix my bike'))[0]!.file).toBe('loose.md')
  })

  test('indexes a folder with every type of file', async () => {
    const { page } = visitor
    await addFolder(page)
    expect(await number(page, 'fact-files')).toBe(1 + READABLE)
    expect(await page.locator('#outcome').textContent()).toContain('1 skipped (other kinds of files)')
    for (const [question, file] of QUESTIONS) {
      const [best] = await ask(page, question)
      expect(best!.file, question).toBe(name(file))
      expect(best!.score).toBeGreaterThan(0.2)
    }
    await ask(page, 'what did we decide about the leaking roof')
    expect(await page.locator('.result').first().locator('.where').textContent()).toMatch(/The roof/)
    expect(await page.locator('mark').allTextContents()).toContain('roof')
    await shot(page, 'results')
  })

  test('narrows the results by filters', async () => {
    const { page } = visitor
    await ask(page, 'water')
    await page.locator('#filters summary').click()
    const files = async () => [...new Set((await found(page)).map(({ file }) => file))].sort()
    const choose = async (id: string, value: string) => {
      await page.locator(`#${id}`).selectOption(value)
      await answer(page)
    }
    await choose('type', 'pdf')
    expect(await files()).toEqual([name('house/contract.pdf')])
    await choose('type', '')
    await choose('folder', name('house'))
    expect(await files()).toEqual(['contract.pdf', 'garden.md', 'roof.md'].map((file) => name(`house/${file}`)))
    await choose('folder', '')
    await page.locator('#path').fill('bread')
    await answer(page)
    expect(await files()).toEqual([name('recipes/bread.txt')])
    await page.locator('#path').fill('')
    await choose('since', '31')
    expect(await files()).not.toContain(name('travel/lisbon.md'))
    await choose('since', '')
    expect(await files()).toContain(name('travel/lisbon.md'))
  })

  test('works by keyboard alone: through the results, into a passage, to similar ones', async () => {
    const { page } = visitor
    await ask(page, 'sow and plant')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowUp')
    expect(await page.evaluate(() => (document.activeElement as HTMLElement).dataset.file)).toBe(
      name('house/garden.md'),
    )
    await page.keyboard.press('Enter')
    await page.locator('#reader[open]').waitFor()
    expect(await page.locator('#reader .this').textContent()).toContain('Sow indoors')
    expect(await page.locator('#reader .passage').count()).toBeGreaterThan(1)
    expect(await violations(page)).toEqual([])
    await shot(page, 'reader')
    await page.keyboard.press('Escape')
    await page.keyboard.press('m')
    await page.locator('#alike').waitFor()
    await expect
      .poll(async () => (await found(page)).some(({ id }) => id === `${name('house/garden.md')}#000000`))
      .toBe(false)
    await page.locator('#alike-clear').click()
    await page.keyboard.press('Escape')
    await page.locator('#pick-files').focus()
    await page.keyboard.press('/')
    expect(await page.evaluate(() => document.activeElement!.id)).toBe('query')
  })

  test('has everything after a reload, and embeds nothing again', async () => {
    const { page } = visitor
    await page.goto(`${ownFiles()}&q=${encodeURIComponent('bake the loaf')}`)
    await page.reload()
    await phase(page, 'ready')
    expect((await answer(page))[0]!.file).toBe(name('recipes/bread.txt'))
    await addFolder(page)
    await expect.poll(() => page.locator('#outcome').textContent()).toContain(`0 files indexed, ${READABLE} unchanged`)
    expect((await embedded(page)).documents).toBe(0)
    await writeFile(join(notes, 'recipes/bread.txt'), 'Rye bread is baked for two hours at a falling heat.')
    await addFolder(page)
    await expect
      .poll(() => page.locator('#outcome').textContent())
      .toContain(`1 file indexed, ${READABLE - 1} unchanged`)
    expect((await embedded(page)).documents).toBe(1)
    expect(await number(page, 'fact-files')).toBe(1 + READABLE)
  })

  test('has the same files in a second tab, and each tab sees what the other adds', async () => {
    const second = await visitor.context.newPage()
    await second.goto(ownFiles())
    await phase(second, 'ready')
    const files = await number(visitor.page, 'fact-files')
    await second.locator('#files').setInputFiles({
      name: 'tea.txt',
      mimeType: 'text/plain',
      buffer: Buffer.from('Green tea wants water of seventy degrees and two minutes.'),
    })
    await expect.poll(() => number(visitor.page, 'fact-files')).toBe(files + 1)
    const here = await ask(visitor.page, 'temperature for brewing')
    expect(here[0]!.file).toBe('tea.txt')
    expect(await ask(second, 'temperature for brewing')).toEqual(here)
    await second.close()
  })

  test('imports an export after everything was deleted', async () => {
    const { page } = visitor
    const before = await ask(page, 'view over the city')
    await page.locator('#details summary').click()
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#export').click()])
    const tar = join(folder, 'my-files.tar')
    await download.saveAs(tar)
    await page.locator('#delete').click()
    await page.locator('#confirm-yes').click()
    await phase(page, 'empty')
    expect(await number(page, 'fact-documents')).toBe(0)
    await page
      .locator('#tar')
      .setInputFiles({ name: 'no.tar', mimeType: 'application/x-tar', buffer: Buffer.from('no tar at all') })
    await page.locator('#notice h3').waitFor()
    expect(await page.locator('#notice').textContent()).toMatch(/could not be imported.*INVALID_ARGUMENT/s)
    await phase(page, 'empty')
    await page.locator('#tar').setInputFiles(tar)
    await phase(page, 'ready')
    expect(await ask(page, 'view over the city')).toEqual(before)
    await page.locator('#compact').click()
    await expect.poll(() => page.locator('#timing').textContent()).toContain('Compacted')
  })

  test('stops indexing on request', async () => {
    const { page } = visitor
    await page.locator('#folder-files').setInputFiles(many)
    await phase(page, 'indexing')
    // This is checked in the page, in each frame. From outside, a busy machine would check too rarely.
    await page.waitForFunction(() =>
      /of 1,000 files · [\d.]+ passages a second/.test(document.querySelector('#status-text')!.textContent!),
    )
    await page.waitForFunction(
      () => Number(document.querySelector('#fact-documents')!.textContent!.replace(/\D/g, '')) > 100,
    )
    await shot(page, 'indexing')
    await page.locator('#cancel').click()
    await phase(page, 'stopped')
    const files = await number(page, 'fact-files')
    expect(files).toBeGreaterThan(50)
    expect(files).toBeLessThan(1000)
  })

  test('continues where it stopped, and reports a full disk without losing what was stored', async () => {
    const { page } = visitor
    const cdp = await page.context().newCDPSession(page)
    const origin = new URL(site.url).origin
    await cdp.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1 })
    const documents = await number(page, 'fact-documents')
    await page.locator('#resume').click()
    await phase(page, 'failed')
    expect(await page.locator('#notice h3').textContent()).toBe('There is no room left')
    await shot(page, 'full')
    await cdp.send('Storage.overrideQuotaForOrigin', { origin })
    await cdp.detach()
    await page.locator('#notice button').first().click()
    await phase(page, 'ready')
    expect(await page.locator('#notice').isVisible()).toBe(false)
    expect(await number(page, 'fact-files')).toBe(1000 + 1 + READABLE + 1)
    const outcome = (await page.locator('#outcome').textContent())!
    const [indexed, unchanged] = [/([\d,]+) files? indexed/, /([\d,]+) unchanged/].map((count) =>
      Number(count.exec(outcome)![1]!.replace(',', '')),
    )
    expect(unchanged).toBeGreaterThanOrEqual(documents - 20)
    expect(indexed! + unchanged!).toBe(1000)
    expect((await ask(page, 'fear of enclosed spaces'))[0]!.file).toMatch(/claustrophobia\.txt$/)
    await shot(page, 'many')
  })

  test('works without a network', async () => {
    const { page, context } = visitor
    await expect
      .poll(() => page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.active?.state))
      .toBe('activated')
    await page.reload()
    await phase(page, 'ready')
    expect(await page.evaluate(() => !!navigator.serviceWorker.controller)).toBe(true)
    await context.setOffline(true)
    await page.goto('about:blank')
    await page.goto(ownFiles())
    await phase(page, 'ready')
    expect((await ask(page, 'sightseeing in Portugal'))[0]!.file).toBe(name('travel/lisbon.md'))
    await context.setOffline(false)
  })

  test('is accessible in dark mode, fits a phone, and did not move while it loaded', async () => {
    const { page } = visitor
    await page.emulateMedia({ colorScheme: 'dark' })
    await ask(page, 'what did we decide about the leaking roof')
    expect(await violations(page)).toEqual([])
    await shot(page, 'dark')
    await page.setViewportSize({ width: 390, height: 844 })
    await shot(page, 'phone-dark')
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
    await page.setViewportSize({ width: 1280, height: 900 })
    await page.emulateMedia({ colorScheme: 'light' })
    expect(await layoutShift(page)).toBeLessThan(0.1)
    const manifest = await page.evaluate(async () =>
      (await fetch(document.querySelector<HTMLLinkElement>('link[rel=manifest]')!.href)).json(),
    )
    expect(manifest).toMatchObject({ display: 'standalone', start_url: './' })
  })

  test('logged no error, and sent no request to another server', () => {
    expect(visitor.complaints).toEqual([])
  })
})

test('keeps a dropped folder over a reload, and finds the same', async () => {
  const stranger = await Visitor.arrive(site.url)
  try {
    const { page } = stranger
    await page.goto(ownFiles())
    await phase(page, 'empty')
    await shot(page, 'path-1-open')
    const filters = () =>
      page.locator('.fields label').evaluateAll((labels) => labels.map((label) => label.getBoundingClientRect().left))
    // They are hidden while there is nothing to filter. The names of folders must not move them.
    await page.locator('#filters').evaluate((all) => Object.assign(all, { hidden: false, open: true }))
    const before = await filters()
    await drop(page, notes, join(folder, 'gone.md'))
    await phase(page, 'ready')
    expect(await page.locator('#drop').isVisible()).toBe(false)
    await expect
      .poll(() => page.locator('#outcome').textContent())
      .toMatch(new RegExp(`${READABLE} files indexed, 1 not readable.*gone\\.md: it could not be read`))
    await expect.poll(() => number(page, 'fact-files')).toBe(READABLE)
    await expect.poll(() => page.locator('#folder option').allTextContents()).toContain(name('house'))
    expect(await filters()).toEqual(before)
    await shot(page, 'path-2-dropped')
    for (const [question, file] of QUESTIONS) {
      // An earlier test has replaced the recipe of the loaf.
      if (!question.includes('loaf')) expect((await ask(page, question))[0]!.file, question).toBe(name(file))
    }
    await shot(page, 'path-3-search')
    const hits = await found(page)
    await page.reload()
    await phase(page, 'ready')
    expect(await answer(page)).toEqual(hits)
    expect((await embedded(page)).documents).toBe(0)
    await shot(page, 'path-4-reload')
    await page.setViewportSize({ width: 390, height: 844 })
    await shot(page, 'phone-light')
    await page.locator('.panel').scrollIntoViewIfNeeded()
    await shot(page, 'phone-panel')
    expect(stranger.complaints).toEqual([])
  } finally {
    await stranger.leave()
  }
})

test.each(['chromium', 'firefox'] as const)(
  'in %s no worker can send a request to another server, although the host sets no headers',
  async (browser) => {
    const [other, someone] = [await Visitor.arrive(site.url, browser), await thirdParty()]
    try {
      expect((await fetch(site.url)).headers.get('content-security-policy')).toBeNull()
      const { page } = other
      const started: string[] = []
      page.on('worker', (worker) => started.push(worker.url()))
      await page.goto(ownFiles())
      await phase(page, 'empty')
      await page
        .locator('#files')
        .setInputFiles(['house/roof.md', 'house/contract.pdf'].map((path) => join(notes, path)))
      await phase(page, 'ready')
      // These are the workers of the store, of the model (one or more) and of pdf.js.
      await expect.poll(() => started.length).toBeGreaterThanOrEqual(3)
      expect(started.filter((url) => !url.startsWith('blob:'))).toEqual([])
      if (browser === 'chromium') {
        // The model's helpers may end at any time. The others stay.
        const ask = (worker: Worker) =>
          worker
            .evaluate(
              (url) =>
                fetch(url).then(
                  () => 'answered',
                  () => 'refused',
                ),
              someone.url,
            )
            .catch(() => 'ended')
        const answers = await Promise.all(page.workers().map(ask))
        expect(answers).not.toContain('answered')
        expect(answers.filter((answer) => answer === 'refused').length).toBeGreaterThanOrEqual(3)
      } else {
        // The page's workers in Firefox cannot be reached from here, so the test starts a worker in the same way and
        // asks it.
        const answer = await page.evaluate(
          (url) =>
            new Promise<unknown>((resolve) => {
              const source =
                `fetch(${JSON.stringify(url)}).then(() => postMessage('answered'), () => ` + `postMessage('refused'))`
              const worker = new Worker(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })), {
                type: 'module',
              })
              worker.onmessage = ({ data }) => resolve(data)
              worker.onerror = (event) => resolve(`error ${event.message}`)
            }),
          someone.url,
        )
        expect(answer).toBe('refused')
      }
      expect(someone.asked).toEqual([])
      // The server does answer requests that no policy forbids.
      expect((await fetch(`${someone.url}hello`)).ok).toBe(true)
      expect(someone.asked).toEqual(['/hello'])
    } finally {
      await other.leave()
      someone.close()
    }
  },
)

test('in Firefox: files, a search, a reload', async () => {
  const other = await Visitor.arrive(site.url, 'firefox')
  try {
    const { page } = other
    await page.goto(ownFiles())
    await phase(page, 'empty')
    await page
      .locator('#files')
      .setInputFiles(['house/roof.md', 'recipes/soup.html', 'house/contract.pdf'].map((path) => join(notes, path)))
    await phase(page, 'ready')
    expect((await ask(page, 'what did we decide about the leaking roof'))[0]!.file).toBe('roof.md')
    expect((await ask(page, 'how to terminate the lease'))[0]!.file).toBe('contract.pdf')
    await page.reload()
    await phase(page, 'ready')
    expect((await ask(page, 'vegetarian cooking'))[0]!.file).toBe('soup.html')
    expect((await embedded(page)).documents).toBe(0)
    expect(other.complaints).toEqual([])
  } finally {
    await other.leave()
  }
})
