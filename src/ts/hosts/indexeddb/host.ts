import { NotPromoted, type Host } from '../../contract/host.js'
import { sleep } from '../../runtime/schedule.js'
import { NidusError, readOnlyError, storageError } from '../../errors/errors.js'
import type { StoreFiles, StoreInfo } from '../../types/index.js'
import { concat } from '../../format/bytes.js'
import { damaged, type FileName, type StoredExtent } from '../extents.js'
import { ExtentSink, extentsOf, isExtent, smallEnd } from './sink.js'
import { foreignError, foreignOf, lookAtData, lookAtLog } from '../../format/ownership.js'
import { WORDS, isWords } from '../../format/words-file.js'
import {
  META_KEY,
  NotApplied,
  databaseNames,
  deleteDatabase,
  factory,
  lockName,
  openDatabase,
  renewLog,
  transact,
  type Meta,
  type Transaction,
} from './database.js'
import { holdNow } from '../../runtime/web-locks.js'

/** Once a new pair has this many bytes in memory, `drain` writes them to the database. */
const DRAIN = 4 * 1024 * 1024
const FILES = ['data', 'log'] as const

interface Pair extends StoreFiles {
  data: ExtentSink
  log: ExtentSink
}

/**
 * Returns the host of a store in IndexedDB. Appended bytes wait in memory. `commit` writes them and the new lengths in
 * one strict transaction.
 */
export function indexeddbHost(name: string): Host {
  let db: IDBDatabase | undefined
  let release: (() => Promise<void>) | undefined
  let meta: Meta
  let readOnly = false
  let current: Pair
  let fresh: Pair | undefined
  /** True if the database may hold extents that belong to no current file. */
  let stale = false
  let lost: NidusError | undefined
  /** Rejects `disconnected`, which every write waits for, too. */
  let rejectWrites!: (error: NidusError) => void
  let disconnected: Promise<never>

  const lose = (why: string) => {
    if (lost) return
    lost = new NidusError('FAILED', `the store "${name}": ${why}`)
    host.onLost?.(lost)
  }
  const check = () => {
    if (lost) throw lost
    if (readOnly) throw readOnlyError(name)
  }

  /** Returns the row that this transaction found. Throws if another writer or a replacement has changed the store. */
  const verified = (found: Meta | undefined): Meta => {
    if (readOnly) {
      if (found && found.generation === meta.generation && found.cuts === meta.cuts) return found
      throw new Error(`the store "${name}" was replaced while it was being read`)
    }
    if (found?.epoch === meta.epoch) return found
    throw new NidusError('FAILED', `the store "${name}" was taken over by another tab or worker: open it again`)
  }

  /** Does all of `work` or nothing, and only if the store is still ours. The new row is what `work` returns. */
  async function write(work: (transaction: Transaction) => Partial<Meta>): Promise<void> {
    check()
    let next = meta
    const attempt = () =>
      transact(db!, 'readwrite', (transaction) =>
        transaction.then<Meta | undefined>(transaction.meta.get(META_KEY), (found) => {
          next = { ...verified(found), ...work(transaction) }
          transaction.meta.put(next, META_KEY)
        }),
      )
    try {
      const done = attempt().catch((error: unknown) => {
        // Firefox: after a transaction that the quota aborted, the next one cannot write. The one after it can.
        if (error instanceof NotApplied && (error.cause as Error | undefined)?.name === 'InvalidStateError')
          return attempt()
        throw error
      })
      await Promise.race([done, disconnected])
    } catch (error) {
      if (error instanceof NidusError) throw error
      if (error instanceof NotApplied) {
        const { cause } = error
        if (cause instanceof NidusError && cause.code === 'FAILED') lose(cause.message)
        throw cause
      }
      // The connection may have ended. The browser reports this one turn of the event loop after the abort.
      await sleep(0)
      if (lost) throw unknown(lost)
      throw error
    }
    meta = next
  }

  const unknown = (cause: NidusError) =>
    new NidusError('OUTCOME_UNKNOWN', `the connection was lost before the browser answered: ${cause.message}`, {
      cause,
    })

  /** Reads committed bytes, all of one state: the row is checked in the same transaction. */
  async function read(sink: ExtentSink, at: number, length: number, from: number): Promise<Uint8Array> {
    const { file, generation } = sink
    const parts: Uint8Array[] = []
    let end = at
    try {
      await transact(db!, 'readonly', ({ meta, extents, then }) => {
        then<Meta | undefined>(meta.get(META_KEY), verified)
        const range = extentsOf(file, generation, from, at + length - 1)
        then(extents.getAllKeys(range), (keys) =>
          then<Uint8Array[]>(extents.getAll(range), (values) => {
            values.forEach((bytes, i) => {
              if (!isExtent(bytes)) throw damaged(file, end)
              const begins = (keys[i] as [FileName, number, number])[2]
              if (begins + bytes.length <= at) return
              if (begins > end || (end > at && begins !== end)) throw damaged(file, end)
              parts.push(bytes.subarray(end - begins, Math.min(bytes.length, at + length - begins)))
              end = Math.min(begins + bytes.length, at + length)
              if (end === begins + bytes.length) sink.boundary = end
            })
            if (end !== at + length) throw damaged(file, end)
          }),
        )
      })
    } catch (error) {
      throw error instanceof NotApplied ? error.cause : error
    }
    // Leaves out a part of an extent at the end. The next read then begins where that extent begins, and no extent is
    // read twice.
    if (sink.boundary > at && sink.boundary < end) parts.pop()
    return parts.length === 1 ? parts[0] : concat(parts)
  }

  const sink = (file: FileName, generation: number, length: number) =>
    new ExtentSink(file, generation, length, check, read)
  const pair = (generation: number, data: number, log: number): Pair => ({
    data: sink('data', generation, data),
    log: sink('log', generation, log),
  })

  function disconnect() {
    db?.close()
    db = undefined
  }

  async function connect(create: boolean) {
    db = await openDatabase(name, create)
    disconnected = new Promise((_, reject) => (rejectWrites = reject))
    disconnected.catch(() => {})
    const mine = db
    // Somebody deletes the database. An open connection would only delay that.
    db.onversionchange = () => {
      mine.close()
      if (!readOnly) lose('its database is being deleted or changed from elsewhere')
    }
    db.onclose = () => {
      // A reader has all that it needs, or its next read fails.
      if (readOnly) return
      lose('the browser closed the connection to its database (storage cleared, or a fault of the disk)')
      // Answers that are already on their way are delivered before this timer, and count.
      void sleep(0).then(() => rejectWrites(unknown(lost!)))
    }
  }

  async function openWritable(mustExist: boolean): Promise<Pair> {
    release = await takeLock(name)
    // This must come before any other write.
    await renewLog()
    await connect(!mustExist)
    const epoch = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join('-')
    const small = {} as { [F in FileName]: StoredExtent[] }
    await transact(db!, 'readwrite', (transaction) =>
      transaction.then<Meta | undefined>(transaction.meta.get(META_KEY), (found) => {
        if (!isMeta(found)) throw unknownContent(name)
        meta = { ...found, epoch }
        transaction.meta.put(meta, META_KEY)
        removeOthers(transaction, meta.generation)
        for (const file of FILES)
          smallEnd(transaction, file, meta.generation, meta[file], (found) => (small[file] = found))
      }),
    ).catch((error: unknown) => {
      throw error instanceof NotApplied ? error.cause : error
    })
    current = pair(meta.generation, meta.data, meta.log)
    for (const file of FILES) current[file].adopt(small[file])
    return current
  }

  async function openReadOnly(): Promise<Pair> {
    await connect(false)
    meta = await readMeta(db!, name)
    return pair(meta.generation, meta.data, meta.log)
  }

  const putAll = (transaction: Transaction, { data, log }: Pair) => {
    const plans = [data, log].map((sink) => ({ sink, plan: sink.plan() }))
    for (const { sink, plan } of plans) sink.put(transaction, plan)
    return () => {
      for (const { sink, plan } of plans) sink.done(plan)
    }
  }

  /**
   * Removes the new pair at once, because the failure may have been a lack of space. If this fails, the next commit
   * removes the pair.
   */
  async function discard() {
    fresh = undefined
    if (lost) return
    await write((transaction) => (removeOthers(transaction, meta.generation), {})).then(
      () => (stale = false),
      () => {},
    )
  }

  const host: Host = {
    kind: 'indexeddb',
    inside: { db: () => db, write },
    // The sinks keep what they are given until the next commit.
    lendViews: false,
    transactional: true,
    async open(mode) {
      readOnly = mode.readOnly
      lost = fresh = undefined
      stale = false
      factory()
      try {
        return readOnly ? await openReadOnly() : await openWritable(mode.mustExist)
      } catch (error) {
        await host.close()
        throw error
      }
    },
    async changed() {
      const now = await readMeta(db!, name)
      return now.generation === meta.generation && now.cuts === meta.cuts ? 'no' : 'replaced'
    },
    async commit() {
      if (!stale && !current.data.dirty && !current.log.dirty) return check()
      let done = () => {}
      await write((transaction) => {
        if (stale) removeOthers(transaction, meta.generation)
        done = putAll(transaction, current)
        const cut = current.data.cut || current.log.cut
        return { data: current.data.getSize(), log: current.log.getSize(), cuts: meta.cuts + (cut ? 1 : 0) }
      })
      done()
      stale = false
    },
    async create() {
      // An earlier pair may have left extents. They are removed before new ones are added.
      if (stale) await write((transaction) => (removeOthers(transaction, meta.generation), {}))
      check()
      stale = true
      return (fresh = pair(meta.generation + 1, 0, 0))
    },
    async drain(all) {
      const files = fresh
      if (!files || (!all && files.data.pending + files.log.pending < DRAIN)) return
      let done = () => {}
      try {
        await write((transaction) => ((done = putAll(transaction, files)), {}))
      } catch (error) {
        await discard()
        throw error
      }
      done()
    },
    async promote(files) {
      if (!fresh || files !== fresh) throw new NotPromoted(new Error('this pair was not made by create()'))
      const { data, log } = fresh
      let done = () => {}
      try {
        await write((transaction) => {
          done = putAll(transaction, { data, log })
          removeOthers(transaction, data.generation)
          return { generation: data.generation, data: data.getSize(), log: log.getSize() }
        })
      } catch (error) {
        if (lost || (error instanceof NidusError && error.code === 'OUTCOME_UNKNOWN')) throw error
        await discard()
        throw new NotPromoted(error)
      }
      done()
      current = { data, log }
      fresh = undefined
      stale = false
    },
    async close() {
      disconnect()
      const releaseLock = release
      release = undefined
      await releaseLock?.()
    },
  }
  return host
}

/** Removes the extents of all generations but this one. */
function removeOthers({ extents }: Transaction, keep: number) {
  for (const file of FILES) {
    extents.delete(IDBKeyRange.bound([file], [file, keep], false, true))
    extents.delete(IDBKeyRange.bound([file, keep + 1], [file, []]))
  }
}

/**
 * Takes the lock of a store. Returns the function that releases it. Insecure contexts have no locks. There only the
 * epoch in the row protects the store.
 */
async function takeLock(name: string): Promise<() => Promise<void>> {
  const release = await holdNow(lockName(name))
  if (!release) throw new NidusError('LOCKED', `the store "${name}" is open elsewhere (another tab or worker)`)
  return release
}

/** Reads the row. Refuses a database that has extents although the row says that the store has no bytes. */
async function readMeta(db: IDBDatabase, name: string): Promise<Meta> {
  let meta: unknown
  let uncounted = 0
  await transact(db, 'readonly', ({ meta: rows, extents, then }) =>
    then(rows.get(META_KEY), (found: unknown) => {
      meta = found
      if (isMeta(found) && found.data + found.log === 0)
        for (const file of FILES)
          then(extents.count(extentsOf(file, found.generation)), (count) => (uncounted += count))
    }),
  )
  if (!isMeta(meta) || uncounted > 0) throw unknownContent(name)
  return meta
}

const isMeta = (row: unknown): row is Meta =>
  typeof row === 'object' &&
  row !== null &&
  ['generation', 'data', 'log'].every((key) => Number.isSafeInteger((row as Record<string, unknown>)[key])) &&
  typeof (row as Meta).epoch === 'string'

const unknownContent = (name: string) =>
  new NidusError(
    'CORRUPT',
    `the database of "${name}" does not say what is in it, or its row "${META_KEY}" is another program's. Nothing ` +
      'was changed',
  )

/** Throws if anything in the database does not belong to a store. */
async function checkOurs(db: IDBDatabase, name: string) {
  let foreign = ''
  const first: { [F in FileName]: Uint8Array } = { data: new Uint8Array(), log: new Uint8Array() }
  let others = 0
  await transact(db, 'readonly', ({ meta, extents, then }) => {
    then(meta.getAllKeys(), (keys) => (foreign ||= keys.some((key) => key !== META_KEY) ? 'a row beside its own' : ''))
    then(
      meta.get(META_KEY),
      (row: unknown) => (foreign ||= row !== undefined && !isMeta(row) ? `its row "${META_KEY}"` : ''),
    )
    then(extents.count(), (all) => (others += all))
    for (const file of [...FILES, WORDS] as const) {
      const range = IDBKeyRange.bound([file], [file, []])
      then(extents.count(range), (ours) => (others -= ours))
      then(extents.openCursor(range), (cursor) => {
        if (!cursor) return
        const [, , at] = cursor.key as number[]
        if (!isExtent(cursor.value) || (file === WORDS && at === 0 && !isWords(cursor.value)))
          foreign ||= `the first extent of ${file}`
        else if (file !== WORDS && at === 0) first[file] = cursor.value
      })
    }
  })
  if (others > 0) foreign ||= `an entry of "extents"`
  if (foreign)
    throw new NidusError(
      'INVALID_ARGUMENT',
      `in the database of "${name}" ${foreign} is another program's. Nothing was changed: take it away, or remove ` +
        'the database',
    )
  const which = foreignOf(lookAtData(first.data, first.data.length), lookAtLog(first.log, first.log.length))
  if (which) throw foreignError(`the ${which} in the database of "${name}"`, which, 'INVALID_ARGUMENT')
}

async function removeStore(name: string) {
  const release = await takeLock(name)
  try {
    await deleteDatabase(name, (db) => checkOurs(db, name))
  } finally {
    await release()
  }
}

export async function destroyIndexeddb(name: string): Promise<void> {
  try {
    await removeStore(name)
  } catch (error) {
    throw storageError(error, `the store "${name}" (indexeddb) could not be removed`, true)
  }
}

export async function listIndexeddb(): Promise<StoreInfo[]> {
  try {
    const stores = await Promise.all((await databaseNames()).map(describe))
    return stores.filter((info) => info !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1))
  } catch (error) {
    throw storageError(error, 'the stores in IndexedDB could not be listed', true)
  }
}

/** Describes a store. It opens a host of its own, because a host reads all of one state. */
async function describe(name: string): Promise<StoreInfo | undefined> {
  const host = indexeddbHost(name)
  try {
    const { data, log } = await host.open({ readOnly: true, mustExist: true })
    const header = data.getSize() >= 64 ? await data.readAsync!(0, 64).catch(() => undefined) : undefined
    const dimension = header && new DataView(header.buffer, header.byteOffset).getUint32(8, true)
    return { name, storage: 'indexeddb', diskBytes: data.getSize() + log.getSize(), ...(dimension && { dimension }) }
  } catch (error) {
    // The database was removed after its name was listed.
    if (error instanceof NidusError && error.code === 'NOT_FOUND') return undefined
    return { name, storage: 'indexeddb', diskBytes: 0 }
  } finally {
    await host.close()
  }
}
