import { execFile } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { BYTES, check, factsOf, tableIn, type File, type Place, type States } from '../common/damage'
import { temporaryFolder } from '../common/folder'
import { tar } from '../common/tar'
import spec from '../../docs/spec/recovery.md?raw'

const root = temporaryFolder('table')
const D = 4

async function store(name: string, rows: number) {
  const db = await Nidus.open(name, { dimension: D })
  for (let i = 0; i < rows; i++) await db.upsert('c', [{ id: `${i}`, vector: [i + 1, 1, 0, 0] }])
  await db.close()
  return name
}
const good = await store(join(root, 'good'), 300)
const other = await store(join(root, 'other'), 7)
const whole = tar(['data', 'log'].map((name) => ({ name, bytes: new Uint8Array(readFileSync(join(other, name))) })))

const inFile: States = {
  ...Object.fromEntries(
    Object.entries(BYTES).map(([state, change]) => [
      state,
      (name: string, file: File) => {
        const bytes = change(
          new Uint8Array(readFileSync(join(name, file))),
          new Uint8Array(readFileSync(join(other, file))),
        )
        if (bytes) writeFileSync(join(name, file), bytes)
        else rmSync(join(name, file))
      },
    ]),
  ),
  'a folder': (name, file) => {
    rmSync(join(name, file))
    mkdirSync(join(name, file))
  },
}
/** Runs the command line. Rejects if it found damage, with exit code 1, or failed. */
const command = (...args: string[]) =>
  new Promise<void>((resolve, reject) =>
    execFile(process.execPath, [CLI, ...args, '--json'], (error, stdout) => {
      if (!error) return resolve()
      reject(
        Object.assign(new Error(stdout), {
          code: error.code === 1 ? 'told' : (JSON.parse(stdout) as { error: { code: string } }).error.code,
        }),
      )
    }),
  )
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const place: Place = {
  async all(name) {
    if (!existsSync(name)) return {}
    return Object.fromEntries(
      readdirSync(name)
        .sort()
        .map((file) => [
          file,
          statSync(join(name, file)).isFile() ? readFileSync(join(name, file), 'hex') : 'a folder',
        ]),
    )
  },
  async copy(from, to) {
    mkdirSync(to)
    for (const file of ['data', 'log']) copyFileSync(join(from, file), join(to, file))
  },
  states: { data: inFile, log: inFile },
  calls: {
    open: async (name) => (await Nidus.open(name, { dimension: D })).close(),
    'open readOnly': async (name) => (await Nidus.open(name, { readOnly: true })).close(),
    verify: (name) => command('verify', name),
    salvage: (name) => Nidus.salvage(name, `${name}-salvaged`),
    import: async (name) => (await Nidus.import(name, whole)).close(),
    'import replace': async (name) => (await Nidus.import(name, whole, { replace: true })).close(),
    destroy: (name) => Nidus.destroy(name),
  },
}

const table = tableIn(spec, 'damage')
it('the table in the specification has the calls that are tested here', () =>
  expect(Object.keys(place.calls)).toEqual(table.calls))
it.each((['data', 'log'] as const).flatMap((file) => Object.keys(inFile).map((state) => [file, state] as const)))(
  '%s %s: no call changes a byte that the table does not allow',
  async (file, state) => {
    const facts = await factsOf(place, good, file, state)
    check(expect, { called: (file) => file }, facts, file, state)
    expect(facts.map(({ end }) => end).join(' | ')).toBe(table.ends.get(`${file} ${state}`)?.join(' | '))
  },
)

/** The modes of the files and the folder for each row of the table. They have no effect on root. */
const MODES: { [row: string]: { data?: number; log?: number; folder?: number } } = {
  'data no permission': { data: 0 },
  'data only to be read': { data: 0o444 },
  'log no permission': { log: 0 },
  'log only to be read': { log: 0o444 },
  'the folder no permission': { folder: 0 },
  'the folder only to be read': { folder: 0o555 },
  'all only to be read': { data: 0o444, log: 0o444, folder: 0o555 },
}
const NOBODY = 65534
/** A script that makes the same calls. It runs as another user if the tests run as root. */
const CHILD = `
  import { execFile } from 'node:child_process'
  import { readFileSync } from 'node:fs'
  const { dist, names, whole, into } = JSON.parse(process.argv[1])
  const { Nidus } = await import(dist + '/node.js')
  const tar = new Uint8Array(readFileSync(whole))
  const calls = {
    open: async (name) => (await Nidus.open(name, { dimension: ${D} })).close(),
    'open readOnly': async (name) => (await Nidus.open(name, { readOnly: true })).close(),
    verify: (name) => new Promise((resolve, reject) => {
      const args = [new URL(dist + '/cli.js').pathname, 'verify', name, '--json']
      execFile(process.execPath, args, (error, stdout) =>
        error ? reject({ code: error.code === 1 ? 'told' : JSON.parse(stdout).error.code }) : resolve())
    }),
    salvage: (name) => Nidus.salvage(name, into),
    import: async (name) => (await Nidus.import(name, tar)).close(),
    'import replace': async (name) => (await Nidus.import(name, tar, { replace: true })).close(),
    destroy: (name) => Nidus.destroy(name),
  }
  const ends = {}
  for (const [call, name] of Object.entries(names))
  ends[call] = await calls[call](name).then(() => 'ok', (error) => error.code ?? String(error))
  console.log(JSON.stringify(ends))`
const modes = tableIn(spec, 'damage:permissions')
it('the table of permissions in the specification has the calls and rows that are tested here', () =>
  expect([modes.calls, [...modes.ends.keys()]]).toEqual([Object.keys(place.calls), Object.keys(MODES)]))
// Windows has no such modes.
it.skipIf(process.platform === 'win32').each(Object.entries(MODES))(
  '%s: no call changes a byte that the table does not allow',
  async (row, mode) => {
    const as = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
    const own = (path: string) => as.uid !== undefined && chownSync(path, NOBODY, NOBODY)
    const home = mkdtempSync(join(root, 'modes-'))
    chmodSync(root, 0o755)
    own(home)
    const names: Record<string, string> = {}
    for (const call of Object.keys(place.calls)) {
      const name = (names[call] = join(home, call.replace(' ', '-')))
      cpSync(good, name, { recursive: true })
      for (const path of [name, join(name, 'data'), join(name, 'log')]) own(path)
      for (const file of ['data', 'log'] as const) chmodSync(join(name, file), mode[file] ?? 0o644)
      chmodSync(name, mode.folder ?? 0o755)
    }
    const tarFile = join(home, 'whole.tar')
    writeFileSync(tarFile, whole)
    chmodSync(tarFile, 0o644)
    const before = await place.all(good)
    const dist = new URL('../../dist', import.meta.url).href
    const told = JSON.stringify({ dist, names, whole: tarFile, into: join(home, 'salvaged') })
    const ends = await new Promise<Record<string, string>>((resolve, reject) =>
      execFile(
        process.execPath,
        ['--input-type=module', '-e', CHILD, told],
        { ...as, cwd: home },
        (error, stdout, stderr) =>
          error
            ? reject(new Error(`${error.message} ${stderr}`))
            : resolve(JSON.parse(stdout) as Record<string, string>),
      ),
    )
    for (const name of Object.values(names)) if (existsSync(name)) chmodSync(name, 0o755)
    for (const [call, name] of Object.entries(names)) {
      if (existsSync(name)) for (const file of readdirSync(name)) chmodSync(join(name, file), 0o644)
      const what = `${row}, ${call}: ${ends[call]}`
      // A user who may write to the folder may replace files in it.
      if (ends[call] === 'ok' && ['import replace', 'destroy'].includes(call)) continue
      expect(await place.all(name), what).toEqual(before)
    }
    expect(Object.values(ends).join(' | ')).toBe(modes.ends.get(row)?.join(' | '))
  },
)
