// Durable inserts and openings in files of Node.
import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { compare } from './durable.mjs'
import { openings } from './openings.mjs'

const root = new URL('../../package.json', import.meta.url)

/** Returns the bytes that this process has written by system calls. Only Linux tells. */
function written() {
  try {
    return Number(/^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))[1])
  } catch {
    return NaN
  }
}

const load = async () => (await import(pathToFileURL(createRequire(root).resolve('nidus-wasm')).href)).Nidus

function mediumOf(dir) {
  mkdirSync(dir, { recursive: true })
  const path = (file) => join(dir, file)
  return {
    storage: 'fs',
    name: path('store'),
    written,
    create(file) {
      const fd = openSync(path(file), 'w')
      return {
        write: (bytes, at) => {
          for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, at + done)
        },
        flush: () => fdatasyncSync(fd),
        close: () => closeSync(fd),
      }
    },
    reopen(file) {
      const fd = openSync(path(file), 'r')
      return {
        size: () => fstatSync(fd).size,
        read: (buffer, at) => readSync(fd, buffer, 0, buffer.length, at),
        close: () => closeSync(fd),
      }
    },
    clean: () => rmSync(dir, { recursive: true, force: true }),
  }
}

export const durable = async ({ dir, runs }, { input, query }) =>
  compare({ Nidus: await load(), input, query, runs, medium: mediumOf(dir) })

export const opening = async ({ dir, runs, marks }, { input, query }) =>
  openings({ Nidus: await load(), input, query, runs, marks, medium: mediumOf(dir) })
