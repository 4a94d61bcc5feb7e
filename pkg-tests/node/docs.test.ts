// Checks the documents for people who change the code: their links, the files that they name, and the sections that the
// code names.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const committed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: repository,
  encoding: 'utf8',
}).split('\n')
const read = (path: string) => readFileSync(join(repository, path), 'utf8')
const exists = (path: string) =>
  committed.some((name) => name === path || name.startsWith(`${path.replace(/\/$/, '')}/`))
const headings = (text: string) =>
  new Set(
    [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
      title!
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
const documents = committed.filter((path) =>
  /^(SPEC|CONTRIBUTING|CHANGELOG|docs\/.*|(?:pkg-tests|bench)\/README)\.md$/.test(path),
)

it('every relative link leads to a file of the repository, and to a heading in it', () => {
  const broken: string[] = []
  for (const path of documents) {
    for (const [, link] of read(path).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https|mailto):/.test(link!)) continue
      const [file, anchor] = link!.split('#')
      const target = file ? posix.join(posix.dirname(path), file) : path
      if (!exists(target) || (anchor && !headings(read(target)).has(anchor))) broken.push(`${path}: ${link}`)
    }
  }
  expect(broken).toEqual([])
})

it('every file that a document names exists', () => {
  const missing: string[] = []
  for (const path of documents) {
    for (const [, name] of read(path).matchAll(
      /`((?:src|tests|pkg-tests|bench|scripts|www|docs|fuzz|examples)\/[\w./-]+)`/g,
    )) {
      // NAME stands for a name that the reader chooses.
      if (!name!.includes('NAME') && !exists(name!)) missing.push(`${path}: ${name}`)
    }
  }
  expect(missing).toEqual([])
})

it('every section of SPEC that the code names is a section of SPEC', () => {
  const sections = new Set([...read('SPEC.md').matchAll(/^(?:#+|-) ([\d.]*\d)/gm)].map(([, number]) => number))
  expect(sections.size).toBeGreaterThan(20)
  const unknown: string[] = []
  for (const path of committed.filter((path) => /^(src|tests|pkg-tests|scripts)\/.*\.(rs|ts|mjs)$/.test(path))) {
    for (const [, numbers] of read(path).matchAll(/SPEC ((?:\d[\d.]*\d|\d)(?: and \d[\d.]*\d)?)/g)) {
      for (const number of numbers!.split(' and ')) if (!sections.has(number)) unknown.push(`${path}: SPEC ${number}`)
    }
  }
  expect(unknown).toEqual([])
})

it('every file of tests is once in the table of its suites', () => {
  const sections = read('pkg-tests/README.md').split(/^## /m)
  const wrong: string[] = []
  const tests = committed.filter((path) => /^pkg-tests\/.*\.test\.ts$/.test(path))
  for (const project of ['node', 'browser', 'crash', 'runtimes']) {
    const rows = sections.find((section) => section.startsWith(`\`${project}\``))!.match(/^\| `.*? \|/gm)!
    const named = rows.flatMap((row) => [...row.matchAll(/`([^`]+\.test\.ts)`/g)].map(([, name]) => name!))
    const own = tests.filter((path) => {
      const [, folder] = path.split('/')
      return project === (['node', 'browser', 'crash'].includes(folder!) ? folder : 'runtimes')
    })
    // The tables of `node` and `browser` name files without their folder.
    const of = (name: string) => (name.includes('/') ? `pkg-tests/${name}` : `pkg-tests/${project}/${name}`)
    const matches = (path: string, name: string) =>
      name.endsWith('/*.test.ts') ? posix.dirname(path) === posix.dirname(of(name)) : path === of(name)
    for (const path of own)
      if (named.filter((name) => matches(path, name)).length !== 1) wrong.push(`${path} is not once in ${project}`)
    for (const name of named)
      if (!own.some((path) => matches(path, name))) wrong.push(`${name} is no file of ${project}`)
  }
  expect(wrong).toEqual([])
})
