// If an error is not caught, Node prints the line that threw it. That line must be readable.
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const dist = (name: string) => new URL(`../../dist/${name}`, import.meta.url)
const uncaught = (program: string, ...flags: string[]) =>
  new Promise<{ code: unknown; err: string }>((resolve) =>
    execFile(process.execPath, [...flags, '--input-type=module', '-e', program], (error, _, err) =>
      resolve({ code: error?.code, err }),
    ),
  )

it.each([
  ['opening', `Nidus.open('nowhere', { dimension: 'x' })`, 'checkOpen', 'dimension must be'],
  [
    'importing, which is loaded later',
    `Nidus.import('nowhere', new Uint8Array(5000).fill(7), { storage: 'memory' })`,
    'at ',
    'tar',
  ],
  ['a store as plain files, which is loaded later', `Nidus.fromStatic(5)`, 'openStatic', ''],
])('is short, and names functions: %s', async (_, work, frame, message) => {
  const { code, err } = await uncaught(`import { Nidus } from ${JSON.stringify(dist('node.js').href)}\nawait ${work}`)
  expect(code).toBe(1)
  expect(err).toContain(frame)
  expect(err).toContain(message)
  expect(err).toMatch(/NidusError: /)
  expect(err.length).toBeLessThan(3000)
  expect(Math.max(...err.split('\n').map((line) => line.length))).toBeLessThan(400)
})

it('an error is of a class called NidusError in every entry', async () => {
  for (const name of ['node.js', 'browser.js', 'slim.js', 'inline.js', 'segment-node.js', 'segment-browser.js']) {
    expect(existsSync(fileURLToPath(dist(name)))).toBe(true)
    const entry = (await import(dist(name).href)) as { NidusError?: typeof import('nidus-wasm').NidusError }
    expect([name, entry.NidusError?.name]).toEqual([name, 'NidusError'])
    expect(new entry.NidusError!('CLOSED' as never, 'x').constructor.name).toBe('NidusError')
  }
})

const read = (name: string) => readFileSync(dist(name), 'utf8')
const maps = () => readdirSync(dist('')).filter((name) => name.endsWith('.map'))

it('a stack leads to the lines of src/ts with --enable-source-maps, and is short', async () => {
  const { err } = await uncaught(
    `import { Nidus } from ${JSON.stringify(dist('node.js').href)}\nawait Nidus.open('nowhere', { dimension: 'x' })`,
    '--enable-source-maps',
  )
  const [, line] = /\/src\/ts\/arguments\/options\.ts:(\d+):\d+\)/.exec(err) ?? []
  const source = readFileSync(new URL('../../src/ts/arguments/options.ts', import.meta.url), 'utf8').split('\n')
  expect(source[Number(line) - 1]).toMatch(/dimension must be|checkDimension\(/)
  expect(Math.max(...err.split('\n').map((each) => each.length))).toBeLessThan(400)
})

it('the package has source maps with sources for all files of Node, and none for files of pages', () => {
  const found = maps()
  expect(found).toEqual(
    expect.arrayContaining(['node.js.map', 'cli.js.map', 'segment-node.js.map', 'search-worker-node.js.map']),
  )
  for (const name of found) {
    const { sources, sourcesContent } = JSON.parse(read(name)) as { sources: string[]; sourcesContent: string[] }
    expect(read(name.replace('.map', ''))).toContain(`//# sourceMappingURL=${name}`)
    sources.forEach((source, i) => {
      // A map names the files in src/ts, and the glue that the build makes. It has no path of the machine that built.
      expect(source).toMatch(/^\.\.\/(src\/ts\/.+\.ts|target\/nidus-wasm\/.+\/core\.js)$/)
      if (source.endsWith('.ts')) expect(sourcesContent[i], source).toBe(readFileSync(dist(source), 'utf8'))
    })
  }
  for (const name of [
    'browser.js',
    'slim.js',
    'inline.js',
    'worker.js',
    'worker-opfs.js',
    'segment-browser.js',
    'workerd.js',
  ])
    expect(read(name), name).not.toContain('sourceMappingURL')
})
