import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, readSync, writeSync } from 'node:fs'
import { NidusError } from '../../errors/errors.js'
import type { SyncAccessHandle } from '../../types/index.js'

/** All files of a store share one guard. Once another program has touched one of them, none is written any more. */
export interface Guard {
  /** Throws if the store is no longer ours. */
  check(): void
  lost: NidusError | undefined
}

export class FsFile implements SyncAccessHandle {
  readonly fd: number
  /** The size in bytes, and the time of the last change, when the file was opened. */
  readonly opened: number
  readonly modified: number
  readonly #path: string
  readonly #guard: Guard | undefined
  #size: number
  #closed = false

  /** Without a guard the file is read-only. */
  constructor(fd: number, path: string, guard: Guard | undefined) {
    this.fd = fd
    this.#path = path
    this.#guard = guard
    const { size, mtimeMs } = fstatSync(fd)
    this.#size = this.opened = size
    this.modified = mtimeMs
  }

  read(buffer: Uint8Array, { at }: { at: number }): number {
    let done = 0
    while (done < buffer.length) {
      const read = readSync(this.fd, buffer, done, buffer.length - done, at + done)
      if (read === 0) break
      done += read
    }
    return done
  }

  write(buffer: Uint8Array, { at }: { at: number }): number {
    this.#checkOurs()
    let done = 0
    while (done < buffer.length) {
      const written = writeSync(this.fd, buffer, done, buffer.length - done, at + done)
      if (!(written > 0))
        throw new NidusError(
          'STORAGE_FAILED',
          `only ${done} of ${buffer.length} bytes at ${at} went into ${this.#path}: is the disk full?`,
        )
      done += written
      this.#size = Math.max(this.#size, at + done)
    }
    return done
  }

  truncate(size: number) {
    this.#checkOurs()
    ftruncateSync(this.fd, size)
    this.#size = size
  }

  flush() {
    const guard = this.#guard
    if (!guard) return
    if (guard.lost) throw guard.lost
    // This also syncs the length. A file that only grows needs nothing else besides its bytes.
    fdatasyncSync(this.fd)
  }

  getSize() {
    return this.#size
  }

  close() {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.fd)
  }

  /**
   * Throws if another program owns or has changed the file. Also called after a failed write: a file of another process
   * must not even be truncated back.
   */
  #checkOurs() {
    const guard = this.#guard
    if (!guard) throw new NidusError('READ_ONLY', `${this.#path} was opened read-only`)
    guard.check()
    const { size } = fstatSync(this.fd)
    if (size === this.#size) return
    guard.lost = new NidusError(
      'FAILED',
      `${this.#path} has ${size} bytes, but this process left ${this.#size}: another program changed it`,
    )
    throw guard.lost
  }
}
