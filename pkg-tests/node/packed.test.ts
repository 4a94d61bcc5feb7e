// Tests the package as a user gets it: the tarball is installed in a new folder, and the commands of the README and the
// examples run there unchanged.
import { cpSync, mkdirSync, readdirSync, readFileSync, existsSync, writeFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import type { BrowserContext, Page } from 'playwright'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../common/folder'
import { cut, version } from '../../scripts/release.mjs'
import { blocksOf, install, openBrowser, pageWith, repository, run as runIn, serveFolder } from './tarball.js'

const folder = temporaryFolder('packed')
const installed = join(folder, 'node_modules/nidus-wasm')
const site = join(folder, 'site') // has what the example needs of the repository's root
const run = (command: string, ...args: string[]) => runIn(folder, command, ...args)

const readme = readFileSync(join(repository, 'README.md'), 'utf8')
/** The first examples of the docs, and the code of the README. Another test runs the part that needs a model. */
const blocks = new Map(
  blocksOf(['docs/what.md', 'docs/guides/segment.md', 'README.md']).map(({ runs, code }) => [runs, code]),
)

const filesUnder = (dir: string) =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort()

let built: string[]

beforeAll(async () => {
  built = filesUnder(join(repository, 'dist'))
  await install(folder)
})

describe('the tarball', () => {
  it('has the build, the documents, and nothing else', () => {
    expect(filesUnder(installed)).toEqual(
      ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json', ...built.map((name) => `dist/${name}`)].sort(),
    )
  })

  it('has a changelog that a release is cut from', () => {
    const changelog = cut('# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n', '1.2.3', '2030-01-02')
    expect(changelog).toBe('# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2030-01-02\n\n### Added\n\n- A thing.\n')
    expect(() => cut(changelog, '1.2.3', '2030-01-03')).toThrow('1.2.3')
    expect(cut(readFileSync(join(repository, 'CHANGELOG.md'), 'utf8'), '999.0.0', '2030-01-02')).toContain('[999.0.0]')
  })

  it('has no dependencies, and runs nothing when it is installed', () => {
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
    expect(
      Object.keys(manifest.peerDependencies).filter((name) => !manifest.peerDependenciesMeta[name].optional),
    ).toEqual([])
    for (const kind of ['dependencies', 'optionalDependencies', 'bundleDependencies', 'bundledDependencies']) {
      expect(manifest[kind], kind).toBeUndefined()
    }
    for (const script of [
      'preinstall',
      'install',
      'postinstall',
      'prepublish',
      'preprepare',
      'prepare',
      'postprepare',
    ]) {
      expect(manifest.scripts?.[script], script).toBeUndefined()
    }
    expect(readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(['nidus-wasm'])
  })

  it('installs its command where npx finds it', async () => {
    const { stdout } = await run(join(folder, 'node_modules/.bin/nidus-wasm'), '--version')
    expect(stdout.trim()).toBe(version())
  })

  it('has one version everywhere', () => {
    // Throws if two versions differ.
    expect(version()).toMatch(/^\d+\.\d+\.\d+/)
  })

  it('has every file that its manifest names', () => {
    const { exports, types, sideEffects } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
    const targets = [exports, types, sideEffects].flatMap(function all(value): string[] {
      return typeof value === 'string' ? [value] : Object.values(value as object).flatMap(all)
    })
    expect(targets.filter((path) => !existsSync(join(installed, path)))).toEqual([])
  })
})

it('all JavaScript in the README is run by a test', () => {
  expect([...blocks.keys()].sort()).toEqual(['browser', 'embedder', 'node', 'segment'])
  expect(readme.match(/^```(js|ts|javascript|typescript|html)\b/gm)?.length).toBe(2)
})

describe('Node', () => {
  it('runs the first example of the README, and again on the store that it left', async () => {
    writeFileSync(join(folder, 'start.mjs'), blocks.get('node')!)
    for (let i = 0; i < 2; i++) {
      const { stdout, stderr } = await run(process.execPath, 'start.mjs')
      const [id, score] = stdout.trim().split(' ')
      expect(id).toBe('a')
      expect(Number(score)).toBeCloseTo(0.9 / Math.hypot(0.9, 0.1), 6) // 0.99388
      expect(stderr).toBe('')
    }
    expect(readdirSync(join(folder, 'notes')).sort()).toEqual(['data', 'log'])
  })

  it('runs the example, which finds at its second run the records of the first', async () => {
    cpSync(join(repository, 'examples/node/index.mjs'), join(folder, 'index.mjs'))
    const first = await run(process.execPath, 'index.mjs')
    expect(first.stdout).toMatch(/^wrote 4 notes\n0\.\d{3} .*milk.*\n0\.\d{3} .+\n$/)
    const second = await run(process.execPath, 'index.mjs')
    expect(second.stdout).toBe(first.stdout.replace('wrote 4 notes\n', ''))
    const other = await run(process.execPath, 'index.mjs', 'the roof, landlord!')
    expect(other.stdout).toMatch(/^0\.\d{3} write to the landlord about the roof\n/)
    expect(first.stderr + second.stderr + other.stderr).toBe('')
  })
})

describe('Chromium, without a bundler', () => {
  let server: Awaited<ReturnType<typeof serveFolder>>
  let context: BrowserContext
  let said: string[]
  let complaints: string[]

  /** Starts a browser with this profile. It can be closed and started again, as a visitor does. */
  const browse = async () => void ({ context, said, complaints } = await openBrowser(join(folder, 'profile')))

  beforeEach(() => {
    complaints.length = 0 // each test starts with none
  })

  async function visit(path: string): Promise<Page> {
    const page = context.pages()[0] ?? (await context.newPage())
    await page.goto(server.origin + path)
    return page
  }

  /** Runs after the code, to show that the code ran to its end. */
  const end = `console.log('the end')`

  beforeAll(async () => {
    writeFileSync(join(folder, 'browser.html'), pageWith(blocks.get('browser')! + end))
    // Import maps do not apply in workers, so the address replaces the name there.
    const worker = blocks
      .get('segment')!
      .replace(`'nidus-wasm/segment'`, `'/node_modules/nidus-wasm/dist/segment-browser.js'`)
    writeFileSync(join(folder, 'segment.js'), worker + end)
    writeFileSync(
      join(folder, 'segment.html'),
      pageWith(
        `new Worker('/segment.js', { type: 'module' }).onerror = (event) => console.error(event.message ?? 'the ` +
          `worker could not be loaded')`,
      ),
    )
    mkdirSync(site)
    cpSync(join(installed, 'dist'), join(site, 'dist'), { recursive: true })
    cpSync(join(repository, 'examples'), join(site, 'examples'), { recursive: true })

    server = await serveFolder(folder)
    await browse()
  })

  afterAll(async () => {
    await context?.close()
    server?.stop()
  })

  it.each([
    ['browser', 'sea', 0.92 / (Math.hypot(0.9, 0.1) * Math.hypot(1, 0.2)), ' At the sea'],
    ['segment', '1', 1, ''],
  ])('runs the first example of the docs (%s), and again on what it left', async (name, best, score, rest) => {
    for (let visits = 1; visits <= 2; visits++) {
      said.length = 0
      await visit(`${name}.html`)
      await expect.poll(() => said.at(-1) === 'the end' || complaints.length > 0).toBe(true)
      expect(complaints).toEqual([])
      expect(said).toHaveLength(2)
      const [, id, number, more] = /^(\S+) (\S+)(.*)$/.exec(said[0]!)!
      expect([id, more]).toEqual([best, rest])
      expect(Number(number)).toBeCloseTo(score, 6)
    }
  })

  it('runs the example, which counts the visits of one browser', async () => {
    for (let visits = 1; visits <= 2; visits++) {
      const page = await visit('site/examples/browser/')
      await expect.poll(() => page.locator('output').textContent()).not.toBe('…')
      expect(await page.locator('output').textContent()).toMatch(
        new RegExp(`^${visits}, the northernmost of them .*\\d`),
      )
      expect(complaints).toEqual([])
      await context.close()
      await browse()
    }
  })
})
