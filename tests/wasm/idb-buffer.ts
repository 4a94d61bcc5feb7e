// The buffer of IndexedDB as a handle for Rust's conformance suite: the host's own extents, over a map in place of the
// database.
import { Extents, SMALL, type StoredExtent, type Plan } from '../../src/ts/hosts/extents'

/** The contents of the database: extents by where they begin. */
type Stored = Map<number, Uint8Array>

const inOrder = (stored: Stored) => [...stored].sort(([a], [b]) => a - b)

/** Does what `ExtentSink.put` does in a transaction. */
function apply(stored: Stored, { cutAt, merged, puts }: Plan) {
  for (const [at, bytes] of [...stored]) {
    if (cutAt !== undefined && at >= cutAt) stored.delete(at)
    else if (cutAt !== undefined && at + bytes.length > cutAt) stored.set(at, bytes.slice(0, cutAt - at))
  }
  for (const at of [...stored.keys()]) if (merged && at >= merged[0] && at <= merged[1]) stored.delete(at)
  for (const { at, bytes } of puts) stored.set(at, bytes.slice())
}

function bytesOf(stored: Stored) {
  const all: number[] = []
  for (const [at, bytes] of inOrder(stored)) {
    if (at !== all.length) throw new Error(`an extent begins at ${at}, and the one before ends at ${all.length}`)
    for (const byte of bytes) all.push(byte)
  }
  return Uint8Array.from(all)
}

/** Finds the small extents at the end, as `smallEnd` does. */
function smallEnd(stored: Stored): StoredExtent[] {
  const small: StoredExtent[] = []
  for (const [at, bytes] of inOrder(stored).reverse()) {
    if (bytes.length > SMALL) break
    small.unshift({ at, bytes })
  }
  return small
}

/** Returns a database. Each handle that is opened has a buffer of its own, and all of them share the database. */
export function database() {
  const stored: Stored = new Map()
  let commits = 0
  let merges = 0
  const open = () => {
    const buffer = new Extents('log', 0, bytesOf(stored).length, () => {})
    buffer.adopt(smallEnd(stored))
    /** A plan changes nothing, so the state after its commit can be read. */
    const now = () => {
      const copy: Stored = new Map(stored)
      apply(copy, buffer.plan())
      return bytesOf(copy)
    }
    return {
      read(into: Uint8Array, { at }: { at: number }) {
        const found = now().subarray(at, at + into.length)
        into.set(found)
        return found.length
      },
      // The store never publishes here, because a commit is one transaction. Bytes that it overwrites are cut off and
      // written again.
      write(bytes: Uint8Array, { at }: { at: number }) {
        if (at >= buffer.getSize()) return buffer.write(bytes, { at })
        const behind = now().slice(at + bytes.length)
        buffer.truncate(at)
        buffer.write(bytes, { at })
        buffer.write(behind, { at: at + bytes.length })
        return bytes.length
      },
      truncate: (size: number) => buffer.truncate(size),
      flush() {
        if (!buffer.dirty) return
        const plan = buffer.plan()
        if (plan.merged) merges++
        apply(stored, plan)
        buffer.done(plan)
        commits++
      },
      getSize: () => buffer.getSize(),
      close: () => buffer.close(),
    }
  }
  /** Returns where each extent begins, and its length. */
  const extents = () => inOrder(stored).map(([at, bytes]) => [at, bytes.length])
  return { open, extents, commits: () => commits, merges: () => merges }
}
