import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Nidus } from 'nidus-wasm'
import { codeOf } from '../common/api'
import { temporaryFolder } from '../common/folder'
import { RUNTIMES } from '../kill/processes.mjs'

const root = temporaryFolder('runtimes')
let n = 0
const fresh = () => join(root, `s${n++}`)
const PACKAGE = fileURLToPath(new URL('../../dist/node.js', import.meta.url))
const RACER = fileURLToPath(new URL('../kill/racer.mjs', import.meta.url))
const runtimes = Object.entries(RUNTIMES).flatMap(([name, command]) => {
  const found = command()
  if (!found) console.warn(`fs in ${name}: SKIPPED, it is not installed`)
  return found ? [[name, found] as const] : []
})

/** Starts a process that races for the lock. It gets each command as a line, and answers with a line. */
function racer(command: readonly string[]) {
  const child = spawn(command[0]!, [...command.slice(1), RACER], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  return {
    child,
    hear: async () => (await lines.next()).value as string,
    tell: (word: string) => void child.stdin!.write(`${word}\n`),
    async ask(...words: string[]) {
      child.stdin!.write(`${words.join('\t')}\n`)
      return (await lines.next()).value as string
    },
  }
}
const gone = (child: ChildProcess) => new Promise((resolve) => child.once('close', resolve))
const racing: ReturnType<typeof racer>[] = []
async function start(command: readonly string[]) {
  const one = racer(command)
  racing.push(one)
  expect(await one.hear()).toBe('ready')
  return one
}
afterEach(async () => {
  for (const { child } of racing.splice(0)) {
    if (child.exitCode !== null || child.signalCode) continue
    const ended = gone(child)
    child.kill('SIGKILL')
    await ended
  }
})

/** Makes a directory with the lock of a dead process. */
async function stale(directory: string) {
  mkdirSync(directory)
  const dead = await start([process.execPath])
  expect(await dead.ask('open', directory)).toBe('got')
  const ended = gone(dead.child)
  dead.child.kill('SIGKILL')
  await ended
}

describe.each(runtimes)('fs in %s', (name, command) => {
  /** Returns the script's output. The script has `Nidus`, `dir` and `say`. */
  const script = (dir: string, body: string, flags: string[] = [...command.slice(1)], before: string[] = []) => {
    const file = join(root, `script${n++}.mjs`)
    writeFileSync(
      file,
      `import { Nidus } from ${JSON.stringify(PACKAGE)}\nimport { writeSync } from 'node:fs'\nconst dir = ` +
        `process.argv[2]\nconst say = (what) => writeSync(1, new TextEncoder().encode(JSON.stringify(what) + ` +
        `'\\n'))\n${body}`,
    )
    const [program, ...args] = [...before, command[0]!, ...flags, file, dir]
    const { stdout, stderr, status } = spawnSync(program!, args, {
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1' },
    })
    expect(status, stderr).toBe(0)
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
  }
  const fill = `
    const db = await Nidus.open(dir, { dimension: 4 })
    await db.upsert('c', [{ id: 'a', vector: [1, 0, 0, 0], attrs: { n: 1 } }, { id: 'b', vector: [0, 1, 0, 0] }])
    await db.upsert('c', [{ id: 'a', vector: [0, 0, 1, 0], attrs: { n: 2n ** 60n, when: new Date(5), list: ['é'] } }])
    await db.delete('c', ['b'])
    await db.upsert('c', [{ id: 'd', vector: [0, 1, 1, 0] }])`

  it('writes, compacts, opens again and searches, and Node reads the same', async () => {
    const dir = fresh()
    const [counts] = script(
      dir,
      `${fill}
      const before = await db.footprint()
      const second = await Nidus.open(dir).catch((error) => error.code)
      await db.compact()
      const after = await db.footprint()
      await db.close()
      const again = await Nidus.open(dir)
      const hits = await again.search([0, 0, 1, 0])
      await again.close()
      const { when, n } = hits[0].attrs
  say([before.rows, after.rows, second, hits.map(({ id }) => id), when.getTime(), String(n)])`,
    )
    expect(counts).toEqual([4, 2, 'LOCKED', ['a', 'd'], 5, String(2n ** 60n)])
    expect(readdirSync(dir).sort()).toEqual(['data', 'log'])
    const db = await Nidus.open(dir)
    expect((await db.search([0, 0, 1, 0], { topK: 1 }))[0]).toMatchObject({ id: 'a', attrs: { list: ['é'] } })
    await db.close()
  })

  it('recovers a log with a half-written end, and refuses a damaged log', () => {
    const dir = fresh()
    script(dir, `${fill}\nawait db.close(); say(1)`)
    truncateSync(join(dir, 'log'), statSync(join(dir, 'log')).size - 3)
    expect(
      script(dir, `const db = await Nidus.open(dir); say([db.recovery.frames, await db.count()]); await db.close()`),
    ).toEqual([[1, 1]])
    const log = readFileSync(join(dir, 'log'))
    log[40]! ^= 1
    writeFileSync(join(dir, 'log'), log)
    expect(script(dir, `say(await Nidus.open(dir).catch((error) => error.code))`)).toEqual(['CORRUPT'])
    expect(readFileSync(join(dir, 'log')).equals(log)).toBe(true)
  })

  it('takes over the lock of a killed process', async () => {
    const dir = fresh()
    await stale(dir)
    expect(script(dir, `const db = await Nidus.open(dir); say(await db.count()); await db.close()`)).toEqual([1])
    expect(readdirSync(dir).sort()).toEqual(['data', 'log'])
  })

  const traced = process.platform === 'linux' && spawnSync('strace', ['-V']).status === 0
  if (!traced) console.warn(`fs in ${name}: SKIPPED whether the syncs happen, no strace`)
  it.skipIf(!traced)(
    'syncs in the right order: rows and run before the commit mark, the mark before the acknowledgement, the ' +
      'directory after each rename',
    () => {
      const dir = fresh()
      const trace = join(root, `trace${n++}`)
      script(
        dir,
        `
      const db = await Nidus.open(dir, { dimension: 4 })
      await db.upsert('c', [{ id: 'a', vector: [1, 0, 0, 0] }, { id: 'b', vector: [0, 1, 0, 0] }])
      say('acknowledged')
      await db.compact()
      say('compacted')
      await db.close()`,
        [...command.slice(1)],
        [
          'strace',
          '-f',
          '-qq',
          '-y',
          '-s',
          '40',
          '-o',
          trace,
          '-e',
          'trace=pwrite64,pwritev,write,fsync,fdatasync,rename,renameat,renameat2',
        ],
      )
      const calls = readFileSync(trace, 'utf8')
        .split('\n')
        .flatMap((line) => {
          const [, call, rest = ''] = line.match(/^\d+\s+(\w+)\((.*)$/) ?? []
          if (call?.startsWith('rename'))
            return [`rename ${/"[^"]*\/([\w.]+)"[^"]*"[^"]*\/([\w.]+)"/.exec(rest)?.slice(1).join(' ')}`]
          if (/acknowledged|compacted\\"/.test(rest) && call === 'write' && !rest.includes(dir))
            return [rest.includes('acknowledged') ? 'ACK' : 'COMPACTED']
          const path = /^\d+<([^>]*)>/.exec(rest)?.[1]
          if (path === undefined || !path.startsWith(dir))
            return path !== undefined && call === 'fsync' && dir.startsWith(path) ? ['sync parent'] : []
          const file = path === dir ? 'directory' : path.slice(dir.length + 1)
          if (file.startsWith('lock')) return []
          return [`${call!.includes('sync') ? 'sync' : 'write'} ${file}`]
        })
      const acknowledged = calls.indexOf('ACK')
      expect(calls.slice(0, acknowledged)).toEqual([
        'sync parent',
        'sync directory',
        'write data',
        'sync data',
        'sync log',
        'write data',
        'write log',
        'sync data',
        'sync log',
        'write log',
        'sync log',
      ])
      expect(calls.slice(calls.indexOf('sync data.compacted'), calls.indexOf('COMPACTED'))).toEqual([
        'sync data.compacted',
        'sync log.compacted',
        'sync data.compacted',
        'sync log.compacted',
        'sync directory',
        'write compacted.draft',
        'sync compacted.draft',
        'rename compacted.draft compacted',
        'sync directory',
        'write log.barrier',
        'sync log.barrier',
        'rename log.barrier log',
        'sync directory',
        'rename data.compacted data',
        'sync directory',
        'rename log.compacted log',
        'sync directory',
        'sync directory',
      ])
    },
  )

  if (name === 'deno') {
    it('needs permission to read and write, and all permissions only to take the lock of a dead process', async () => {
      const dir = fresh()
      const flags = ['run', '--no-config', '--no-prompt', '--allow-read', '--allow-write']
      expect(script(dir, `${fill}\nawait db.compact(); say(await db.count()); await db.close()`, flags)).toEqual([2])
      const other = fresh()
      await stale(other)
      expect(script(other, `say(await Nidus.open(dir).catch((error) => error.code))`, flags)).toEqual(['LOCKED'])
    })
  }
})

describe('fs: a race for the lock', () => {
  const rounds = 25

  it(
    `of a dead holder, ${rounds} times among eight processes of all runtimes: exactly one gets it and keeps it, ` +
      'and no other file is left',
    async () => {
      const racers = await Promise.all(Array.from({ length: 8 }, (_, i) => start(runtimes[i % runtimes.length]![1])))
      // All rounds use copies of the lock of one dead process.
      const first = fresh()
      await stale(first)
      const lock = readFileSync(join(first, 'lock'))
      for (let round = 0; round < rounds; round++) {
        const dir = fresh()
        mkdirSync(dir)
        writeFileSync(join(dir, 'lock'), lock)
        const said = await Promise.all(racers.map((one) => one.ask('open', dir)))
        expect(
          said.filter((words) => words === 'got'),
          said.join('\n'),
        ).toHaveLength(1)
        expect(said.filter((words) => words.startsWith('LOCKED '))).toHaveLength(7)
        expect(await Promise.all(racers.map((one) => one.ask('check')))).toEqual(Array(8).fill('still'))
        expect(readdirSync(dir).sort()).toEqual(['data', 'lock', 'log'])
        expect(await Promise.all(racers.map((one) => one.ask('close')))).toEqual(Array(8).fill('closed'))
        expect(readdirSync(dir).sort()).toEqual(['data', 'log'])
      }
    },
  )

  it('between processes that make and destroy one store, and readers: nobody is told of damage', async () => {
    const dir = fresh()
    const at = (i: number) => runtimes[i % runtimes.length]![1]
    const writers = await Promise.all([0, 1, 2].map((i) => start(at(i))))
    const readers = await Promise.all([0, 1, 2].map((i) => start(at(i))))
    const seen = readers.map((one) => one.ask('watch', dir))
    expect(await Promise.all(writers.map((one) => one.ask('churn', dir)))).toEqual(['', '', ''])
    const db = await Nidus.open(dir, { dimension: 4 }) // A reader reads until it has read once.
    await db.close()
    for (const one of readers) one.tell('enough')
    expect(await Promise.all(seen)).toEqual(['', '', ''])
  })

  it('is asked before files look damaged: their owner may be in the middle of something', async () => {
    const owned = fresh()
    const holder = await Nidus.open(owned, { dimension: 4 })
    await holder.upsert('c', [{ id: 'a', vector: [1, 0, 0, 0] }])
    for (const missing of ['log', 'data']) {
      renameSync(join(owned, missing), join(owned, 'aside'))
      expect(await codeOf(() => Nidus.open(owned, { dimension: 4 }))).toBe('LOCKED')
      expect(await codeOf(() => Nidus.destroy(owned))).toBe('LOCKED')
      const reading = Nidus.open(owned, { readOnly: true })
      await new Promise((resolve) => setTimeout(resolve, 100))
      renameSync(join(owned, 'aside'), join(owned, missing))
      const reader = await reading
      expect(await reader.count()).toBe(1)
      await reader.close()
    }
    await holder.close()
    renameSync(join(owned, 'log'), join(owned, 'aside'))
    expect(await codeOf(() => Nidus.open(owned, { dimension: 4 }))).toBe('CORRUPT')
    expect(await codeOf(() => Nidus.open(owned, { readOnly: true }))).toBe('CORRUPT')
  })

  it('continues after a process that was killed while it took the lock over', async () => {
    const dir = fresh()
    await stale(dir)
    const nonce = readFileSync(join(dir, 'lock'), 'utf8').split(' ')[2]!.split(';')[0]!
    const other = fresh()
    await stale(other)
    const theirs = readFileSync(join(other, 'lock'), 'utf8')
    writeFileSync(join(dir, `lock.heir.${nonce}`), theirs)
    writeFileSync(join(dir, `lock.new.${'0'.repeat(24)}`), '')
    writeFileSync(join(dir, `lock.stale.${'1'.repeat(24)}`), theirs)
    const db = await Nidus.open(dir)
    expect(readdirSync(dir).sort()).toEqual(['data', 'lock', 'log'])
    await db.close()
  })

  it('does not disturb a living process that takes the lock over, and nobody waits for it', async () => {
    const dir = fresh()
    await stale(dir)
    const nonce = readFileSync(join(dir, 'lock'), 'utf8').split(' ')[2]!.split(';')[0]!
    const other = fresh()
    const holder = await Nidus.open(other, { dimension: 4 })
    const before = readFileSync(join(other, 'lock'), 'utf8')
    writeFileSync(join(dir, `lock.heir.${nonce}`), before)
    expect(await codeOf(() => Nidus.open(dir))).toBe('LOCKED')
    expect(readdirSync(dir).sort()).toEqual(['data', 'lock', `lock.heir.${nonce}`, 'log'])
    await holder.close()
  })
})

describe.skipIf(process.platform === 'win32')('fs: a holder of the lock', () => {
  it('counts as alive while it is stopped, or while its event loop is blocked', async () => {
    const dir = fresh()
    const holder = await start([process.execPath])
    expect(await holder.ask('open', dir)).toBe('got')
    holder.child.kill('SIGSTOP')
    expect(await codeOf(() => Nidus.open(dir))).toBe('LOCKED')
    holder.child.kill('SIGCONT')
    expect(await holder.ask('block', '300')).toBe('blocking')
    expect(await codeOf(() => Nidus.open(dir))).toBe('LOCKED')
    expect(await holder.hear()).toBe('unblocked')
    expect(await holder.ask('check')).toBe('still')
    expect(await holder.ask('close')).toBe('closed')
  })

  it.skipIf(process.platform !== 'linux')(
    'counts as dead when it was killed, also if its parent has not collected it',
    async () => {
      const dir = fresh()
      // The process that has the store is killed by its parent. The parent never waits for it, so it stays as a zombie.
      const script = `
      const { spawn } = require('node:child_process')
      const child = spawn(process.execPath, [${JSON.stringify(RACER)}], { stdio: ['pipe', 'pipe', 'inherit'] })
      child.stdout.on('data', (said) => {
        if (!String(said).includes('got')) return child.stdin.write('open\\t' + ${JSON.stringify(dir)} + '\\n')
        child.kill('SIGKILL')
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600_000)
      })`
      const parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'ignore', 'inherit'] })
      try {
        await vi.waitFor(
          () => {
            const pid = readFileSync(join(dir, 'lock'), 'utf8').split(' ')[0]
            // its last thread has ended, too
            expect(readFileSync(`/proc/${pid}/stat`, 'latin1')).toMatch(/\) Z (\S+ ){16}1 /)
          },
          { timeout: 600_000 },
        )
        const db = await Nidus.open(dir, { dimension: 4 })
        await db.close()
      } finally {
        const ended = gone(parent)
        parent.kill('SIGKILL')
        await ended
      }
    },
  )

  it('renews the lock each minute, but only while the lock is its own', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      const dir = fresh()
      const db = await Nidus.open(dir, { dimension: 4 })
      const lock = join(dir, 'lock')
      const age = () => (statSync(lock).mtimeMs - Date.now()) / 1000
      expect(age()).toBeGreaterThan(590)
      utimesSync(lock, Date.now() / 1000 + 540, Date.now() / 1000 + 540)
      vi.advanceTimersByTime(60_000)
      expect(age()).toBeGreaterThan(590)
      writeFileSync(lock, '1 1')
      utimesSync(lock, 1, 1)
      vi.advanceTimersByTime(60_000)
      expect(statSync(lock).mtimeMs).toBe(1000)
      await db.close()
      rmSync(lock)
    } finally {
      vi.useRealTimers()
    }
  })
})
