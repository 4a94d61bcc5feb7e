// OPFS over a folder of this machine, for threads that stand for tabs. It has everything that the standard says of
// directories, files and their synchronous handles, except createWritable and move. So it also works if the package
// uses more of it later.
import fs from 'node:fs'
import { basename, join } from 'node:path'

const wrong = (name, text) => new DOMException(text, name)

const kindOf = (path) => {
  const there = fs.statSync(path, { throwIfNoEntry: false })
  return there && (there.isDirectory() ? 'directory' : 'file')
}

function inside(path, name) {
  if (['', '.', '..'].includes(name) || /[/\\]/.test(name)) throw new TypeError(`"${name}" is no name of an entry`)
  return join(path, name)
}

/** Checks that the path is of this kind. If there is none, makes it with `create`, and throws otherwise. */
function find(path, kind, create, make) {
  const found = kindOf(path)
  if (found && found !== kind) throw wrong('TypeMismatchError', `${path} is a ${found}`)
  if (!found && !create) throw wrong('NotFoundError', `there is no ${path}`)
  if (!found) make()
}

/**
 * Returns a synchronous handle like those of browsers. A read at the end of the file gives fewer bytes, and after
 * `close` every call throws.
 */
function accessHandle(path, release) {
  const file = fs.openSync(path, 'r+')
  let open = true
  const whileOpen =
    (work) =>
    (...args) => {
      if (!open) throw wrong('InvalidStateError', `the handle of ${path} was closed`)
      return work(...args)
    }
  const bytesOf = (buffer) =>
    ArrayBuffer.isView(buffer)
      ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
      : new Uint8Array(buffer)
  let cursor = 0
  const transfer = (io) =>
    whileOpen((buffer, { at = cursor } = {}) => {
      const bytes = bytesOf(buffer)
      const done = io(file, bytes, 0, bytes.length, at)
      cursor = at + done
      return done
    })
  return {
    read: transfer(fs.readSync),
    write: transfer(fs.writeSync),
    truncate: whileOpen((size) => {
      fs.ftruncateSync(file, size)
      cursor = Math.min(cursor, size)
    }),
    // There is nothing to flush: written bytes outlive the thread, and this test has no power failure.
    flush: whileOpen(() => {}),
    getSize: whileOpen(() => fs.fstatSync(file).size),
    close() {
      if (!open) return
      open = false
      fs.closeSync(file)
      release()
    },
  }
}

/**
 * Returns the root directory. `request` is that of Web Locks. By its locks, only one thread at a time has a handle of a
 * file. When a thread has ended, its handles are free.
 */
export function opfsOver(folder, request) {
  const handleLock = (path) => `handle of ${path}`

  const fileHandle = (path) => ({
    kind: 'file',
    name: basename(path),
    isSameEntry: async (other) => other.kind === 'file' && other.path === path,
    path,
    async getFile() {
      find(path, 'file', false)
      // As in browsers, this File cannot be read any more after its file has changed.
      return new File([await fs.openAsBlob(path)], basename(path), { lastModified: fs.statSync(path).mtimeMs })
    },
    async createSyncAccessHandle() {
      find(path, 'file', false)
      const release = await new Promise((resolve, reject) => {
        const holding = (lock) => lock && new Promise((free) => resolve(free))
        request(handleLock(path), { ifAvailable: true }, holding).then(
          () => reject(wrong('NoModificationAllowedError', `${path} has a handle already`)),
          reject,
        )
      })
      try {
        return accessHandle(path, release)
      } catch (error) {
        release()
        throw error
      }
    },
  })

  const directory = (path) => {
    const own = {
      kind: 'directory',
      name: path === folder ? '' : basename(path),
      isSameEntry: async (other) => other.kind === 'directory' && other.path === path,
      path,
      async getDirectoryHandle(name, { create = false } = {}) {
        const inner = inside(path, name)
        find(inner, 'directory', create, () => fs.mkdirSync(inner, { recursive: true }))
        return directory(inner)
      },
      async getFileHandle(name, { create = false } = {}) {
        const file = inside(path, name)
        find(file, 'file', create, () => fs.closeSync(fs.openSync(file, 'a')))
        return fileHandle(file)
      },
      async removeEntry(name, { recursive = false } = {}) {
        const inner = inside(path, name)
        const kind = kindOf(inner)
        if (!kind) throw wrong('NotFoundError', `there is no ${inner}`)
        if (kind === 'directory' && !recursive && fs.readdirSync(inner).length > 0)
          throw wrong('InvalidModificationError', `${inner} is not empty`)
        const files =
          kind === 'file'
            ? [inner]
            : fs
                .readdirSync(inner, { recursive: true, withFileTypes: true })
                .filter((entry) => entry.isFile())
                .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
        for (const file of files) {
          const free = await request(handleLock(file), { ifAvailable: true }, (lock) => lock !== null)
          if (!free) throw wrong('NoModificationAllowedError', `${file} has a handle`)
        }
        fs.rmSync(inner, { recursive: true })
      },
      async resolve(other) {
        if (other.path !== path && !other.path.startsWith(`${path}/`)) return null
        return other.path.slice(path.length).split('/').filter(Boolean)
      },
      async *entries() {
        for (const name of fs.readdirSync(path)) {
          const inner = inside(path, name)
          const kind = kindOf(inner)
          if (kind) yield [name, kind === 'directory' ? directory(inner) : fileHandle(inner)]
        }
      },
      async *keys() {
        for await (const [name] of own.entries()) yield name
      },
      async *values() {
        for await (const [, handle] of own.entries()) yield handle
      },
      [Symbol.asyncIterator]: () => own.entries(),
    }
    return own
  }
  return { getDirectory: async () => directory(folder) }
}
