import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { tar } from '../common/tar'

const root = mkdtempSync(join(tmpdir(), 'nidus-table-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let made = 0
const fresh = () => join(root, `s${made++}`)
const D = 4

async function store(rows: number) {
  const name = fresh()
  const db = await Nidus.open(name, { dimension: D })
  for (let i = 0; i < rows; i++) await db.upsert('c', [{ id: `${i}`, vector: [i + 1, 1, 0, 0] }])
  await db.close()
  return name
}
const good = await store(300)
const other = await store(7)
const whole = tar(['data', 'log'].map((name) => ({ name, bytes: new Uint8Array(readFileSync(join(other, name))) })))

const bytesIn = (folder: string): Record<string, string> =>
  existsSync(folder) ? Object.fromEntries(readdirSync(folder).sort().map((file) => [file, statSync(join(folder, file)).isFile() ? readFileSync(join(folder, file), 'hex') : 'a folder'])) : {}

/** Makes one of the two files something else. */
const STATES: Record<string, (path: string, which: 'data' | 'log') => void> = {
  absent: (path) => rmSync(path),
  empty: (path) => truncateSync(path),
  'cut in the middle': (path) => truncateSync(path, Math.floor(statSync(path).size / 2) + 1),
  'zeroed tail': (path) => {
    const bytes = readFileSync(path)
    writeFileSync(path, bytes.fill(0, Math.floor(bytes.length / 2)))
  },
  "another store's": (path, which) => cpSync(join(other, which), path),
  "another program's": (path) => writeFileSync(path, 'name,place\nAda,London\n'.repeat(1000)),
  'a folder': (path) => {
    rmSync(path)
    mkdirSync(path)
  },
}
/** The command line ends with 1 if it found damage. */
const command = (...args: string[]) =>
  new Promise<void>((resolve, reject) =>
    execFile(process.execPath, [CLI, ...args, '--json'], (error, stdout) => {
      if (!error) return resolve()
      reject(Object.assign(new Error(stdout), { code: error.code === 1 ? 'told' : (JSON.parse(stdout) as { error: { code: string } }).error.code }))
    }),
  )
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const CALLS: Record<string, (name: string) => Promise<unknown>> = {
  open: async (name) => (await Nidus.open(name, { dimension: D })).close(),
  'open readOnly': async (name) => (await Nidus.open(name, { readOnly: true })).close(),
  verify: (name) => command('verify', name),
  salvage: async (name) => void (await Nidus.salvage(name, fresh())),
  import: async (name) => (await Nidus.import(name, whole)).close(),
  'import replace': async (name) => (await Nidus.import(name, whole, { replace: true })).close(),
  destroy: (name) => Nidus.destroy(name),
}
/** These are asked to put something in the place of what is there. */
const REPLACES = ['import replace', 'destroy']

/** How each call ends, by file and state: the table of SPEC 2.3. */
const spec = readFileSync(new URL('../../docs/spec/recovery.md', import.meta.url), 'utf8').split('<!-- damage:begin -->')[1]!.split('<!-- damage:end -->')[0]!
const table = new Map(
  spec.trim().split('\n').slice(2).map((line) => {
    const [row, ...ends] = line.slice(2, -2).split(' | ')
    return [row!, ends] as const
  }),
)

for (const which of ['data', 'log'] as const) {
  for (const [state, damage] of Object.entries(STATES)) {
    it(`${which} ${state}: no call changes a byte that it has no right to`, async () => {
      const ends: string[] = []
      for (const [call, work] of Object.entries(CALLS)) {
        const name = fresh()
        cpSync(good, name, { recursive: true })
        damage(join(name, which), which)
        const before = bytesIn(name)
        const end = await work(name).then(() => 'ok', (error: { code?: string }) => error.code ?? String(error))
        ends.push(end)
        const after = bytesIn(name)
        const what = `${which} ${state}, ${call}: ${end}`
        expect(end, what).toMatch(/^(ok|told|[A-Z_]+)$/)
        if (end !== 'ok' || ['open readOnly', 'verify', 'salvage'].includes(call)) expect(after, what).toEqual(before)
        // An opening that goes on cuts what no frame is in, and takes no row.
        else if (call === 'open') {
          expect(after['data'], what).toBe(before['data'])
          expect(before['log']!.startsWith(after['log']!), what).toBe(true)
        } else expect(REPLACES, what).toContain(call)
        // Another program's file and a folder outlive every call.
        if (state === "another program's" || state === 'a folder') expect(after[which], what).toBe(before[which])
      }
      expect(ends).toEqual(table.get(`${which} ${state}`))
    })
  }
}
