import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Nidus } from 'nidus-wasm'
import type { Opener } from './explore'
import type { Event, Image } from './medium'
import { DIMENSION } from './plan'

type Fs = Record<string, (...args: any[]) => unknown>
const WATCHED = [
  'openSync',
  'closeSync',
  'writeSync',
  'writeFileSync',
  'ftruncateSync',
  'fdatasyncSync',
  'fsyncSync',
  'renameSync',
  'unlinkSync',
] as const
const real = Object.fromEntries(WATCHED.map((method) => [method, (fs as unknown as Fs)[method]])) as Fs
const base = fs.mkdtempSync(join(fs.existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'nidus-crash-'))
export const removeAll = () => fs.rmSync(base, { recursive: true, force: true })

/**
 * Records the calls on one directory. Calls on the lock file are left out. It is about processes, and no process
 * survives a crash of the machine.
 */
class Recorder {
  readonly events: Event[] = []
  readonly #open = new Map<number, number | 'directory'>()
  constructor(
    readonly directory: string,
    readonly names: Map<string, number>,
    private files: number,
  ) {}

  start() {
    const name = (path: unknown) =>
      typeof path === 'string' && dirname(path) === this.directory && !path.startsWith(join(this.directory, 'lock'))
        ? path.slice(this.directory.length + 1)
        : undefined
    const record = (event: Event) => this.events.push(event)
    const patch = (method: (typeof WATCHED)[number], after: (args: any[], result: any) => void) => {
      ;(fs as unknown as Fs)[method] = (...args: any[]) => {
        const result = real[method]!(...args)
        after(args, result)
        return result
      }
    }
    patch('openSync', ([path, flags], fd: number) => {
      if (path === this.directory) this.#open.set(fd, 'directory')
      const file = name(path)
      if (file === undefined) return
      if (!this.names.has(file)) {
        this.names.set(file, this.files++)
        record({ kind: 'link', name: file, file: this.names.get(file)! })
      } else if (String(flags).startsWith('w')) record({ kind: 'truncate', file: this.names.get(file)!, size: 0 })
      this.#open.set(fd, this.names.get(file)!)
    })
    patch('closeSync', ([fd]) => this.#open.delete(fd))
    const at = (fd: number, event: (file: number) => Event) => {
      const file = this.#open.get(fd)
      if (typeof file === 'number') record(event(file))
    }
    // `writeFileSync` also calls this, but without a position.
    patch(
      'writeSync',
      ([fd, buffer, offset, , position], written: number) =>
        typeof position === 'number' &&
        at(fd, (file) => ({
          kind: 'write',
          file,
          at: position,
          bytes: new Uint8Array(buffer.subarray(offset, offset + written)),
        })),
    )
    patch('writeFileSync', ([fd, bytes]) =>
      at(fd, (file) => ({ kind: 'write', file, at: 0, bytes: new Uint8Array(Buffer.from(bytes)) })),
    )
    patch('ftruncateSync', ([fd, size]) => at(fd, (file) => ({ kind: 'truncate', file, size })))
    patch('fdatasyncSync', ([fd]) => at(fd, (file) => ({ kind: 'flush', file })))
    patch('fsyncSync', ([fd]) => {
      if (this.#open.get(fd) === 'directory') record({ kind: 'syncNames' })
      else at(fd, (file) => ({ kind: 'flush', file }))
    })
    patch('renameSync', ([from, to]) => {
      const [a, b] = [name(from), name(to)]
      if (a === undefined || b === undefined) return
      this.names.set(b, this.names.get(a)!)
      this.names.delete(a)
      record({ kind: 'rename', from: a, to: b })
    })
    patch('unlinkSync', ([path]) => {
      const file = name(path)
      if (file === undefined || !this.names.delete(file)) return
      record({ kind: 'unlink', name: file })
    })
    syncBuiltinESMExports()
  }

  stop() {
    Object.assign(fs, real)
    syncBuiltinESMExports()
  }
}

let n = 0

export const nodeFs: Opener = {
  flushMakesName: false,
  async record(image, names, files, work) {
    const directory = join(base, `${n++}`)
    fs.mkdirSync(directory)
    // The marker is written last, because it contains the inodes and times of the other files.
    for (const [name, bytes] of [...image].sort(([a], [b]) => Number(a === 'compacted') - Number(b === 'compacted'))) {
      let put: Uint8Array | string = bytes
      // On the machine that crashed, the marker would have the inodes of these files.
      if (name === 'compacted' && Buffer.from(bytes).includes(SAME))
        put = Buffer.from(bytes).toString().replace(SAME, identity(directory))
      fs.writeFileSync(join(directory, name), put)
    }
    const recorder = new Recorder(directory, new Map(names), files)
    recorder.start()
    try {
      await work(
        {
          open: () => Nidus.open(directory, { dimension: DIMENSION, autoCompact: false }),
          take: (source) => Nidus.import(directory, source, { replace: true }),
        },
        (from, to) => recorder.events.push({ kind: 'allow', from, to }),
      )
    } finally {
      recorder.stop()
      fs.rmSync(directory, { recursive: true, force: true })
    }
    return recorder.events
  },
  /**
   * Returns a variant of an image that has a marker. In the image, the marker has other inodes than the files that the
   * test makes, as if somebody had written to the old pair since. In the variant it has their inodes, as if nobody had.
   */
  variants(image) {
    const marker = image.get('compacted')
    if (!marker) return []
    let parsed: { old?: string }
    try {
      parsed = JSON.parse(Buffer.from(marker).toString()) as { old?: string }
    } catch {
      return []
    }
    const same: Image = new Map([...image].filter(([name]) => name !== 'compacted'))
    same.set('compacted', Buffer.from(JSON.stringify({ ...parsed, old: SAME })))
    return [{ name: 'same inodes', image: same }]
  },
}

const SAME = 'the inodes as they are'
function identity(directory: string) {
  return ['data', 'log']
    .map((name) => {
      const found = fs.statSync(join(directory, name), { bigint: true, throwIfNoEntry: false })
      return found ? `${found.ino} ${found.size} ${found.mtimeNs}` : ''
    })
    .join(', ')
}
