import { NotPromoted, SESSION, type OwnHost } from '../../contract/host.js'
import { NidusError, invalid, readOnlyError } from '../../errors/errors.js'
import type { KeysOf } from '../../arguments/keys.js'
import { checkName, checkOptions } from '../../arguments/options.js'
import type { DurableObjectOptions, DurableStorage } from '../../types/durable-object.js'
import type { StorageHost, StoreFiles } from '../../types/index.js'
import { describe } from '../../core/wire.js'
import { sqlDerived } from './derived.js'
import {
  NotApplied,
  SqlExtents,
  UNNAMED,
  atomically,
  checkExtents,
  findRow,
  isUnnamed,
  makeStore,
  putRow,
  removeOthers,
  removeStore,
  type Row,
} from './sql.js'

/** Once a new pair has this many bytes in memory, `drain` writes them to the database. */
const DRAIN = 4 * 1024 * 1024

interface Pair extends StoreFiles {
  data: SqlExtents
  log: SqlExtents
}

/**
 * The names of the stores that are open in each storage. Two objects of a class can share an isolate, but never a
 * storage.
 */
const opened = new WeakMap<DurableStorage, Set<string>>()

const OPTIONS = { name: 1 } satisfies KeysOf<DurableObjectOptions>

/** Returns a host that keeps stores in the SQLite database of a Durable Object. */
export function durableObject(storage: DurableStorage, options?: DurableObjectOptions): StorageHost {
  if (
    typeof storage !== 'object' ||
    storage === null ||
    typeof storage.transactionSync !== 'function' ||
    typeof storage.sync !== 'function'
  ) {
    throw invalid(`durableObject takes the ctx.storage of a Durable Object, not ${describe(storage)}`)
  }
  const { name } = checkOptions(options, OPTIONS, 'durableObject')
  if (name !== undefined) checkName(name, 'durableObject: name')
  const session = (asked?: string) => sessionHost(storage, name, asked)
  return Object.assign(session(), { [SESSION]: session })
}

/**
 * Returns the host of one opening. Appended bytes wait in memory. `commit` writes them and the new lengths in one
 * transaction, and resolves once that transaction is synced.
 */
function sessionHost(storage: DurableStorage, given: string | undefined, asked = UNNAMED): OwnHost {
  let name = given ?? asked
  let row: Row
  let readOnly = false
  let held = false
  let current: Pair
  let fresh: Pair | undefined
  /** True if the database may hold extents that belong to no current file. */
  let stale = false
  let lost: NidusError | undefined

  const lose = (why: string, cause?: unknown) => {
    if (!lost) host.onLost?.((lost = new NidusError('FAILED', `the store "${name}" of this object ${why}`, { cause })))
    return lost!
  }
  const check = () => {
    if (lost) throw lost
    if (readOnly) throw readOnlyError(name)
  }

  /** Throws if the row is not the one that this store last read or wrote. */
  const verify = () => {
    let found: Row | undefined
    try {
      found = findRow(storage.sql, name)
    } catch (error) {
      throw lose('can no longer be read', error)
    }
    if (readOnly) {
      if (found?.generation === row.generation && found.cuts === row.cuts) return
      throw new Error(`the store "${name}" was replaced while it was being read`)
    }
    if (!found) throw lose('is gone: its tables were removed')
    if (found.epoch !== row.epoch) throw lose('was opened a second time, through another `storage`')
    // The object may have rolled back a transaction of its own, and with it commits of this store.
    if (found.generation !== row.generation || found.data !== row.data || found.log !== row.log)
      throw lose('was changed by somebody else')
  }

  /** Does all of `work` or nothing, and only if the store is still ours. The result is not durable yet. */
  function write(work: () => Partial<Row>) {
    check()
    try {
      row = atomically(storage, () => {
        verify()
        const next = { ...row, ...work() }
        putRow(storage.sql, next)
        return next
      })
    } catch (error) {
      if (!(error instanceof NotApplied)) lose('has an unknown state', error)
      throw error
    }
  }

  /**
   * Waits until the transaction is durable. The object holds its output back until then, too. But only this call tells
   * the caller about a failure.
   */
  async function sync() {
    try {
      await storage.sync()
    } catch (error) {
      lose('has an unknown state', error)
      throw new NidusError('OUTCOME_UNKNOWN', `the transaction was not confirmed: ${String(error)}`, { cause: error })
    }
  }

  const causeOf = (error: unknown) => (error instanceof NotApplied ? error.cause : error)

  const pair = (at: Row): Pair => ({
    data: new SqlExtents(storage.sql, 'data', at, at.data, check, verify),
    log: new SqlExtents(storage.sql, 'log', at, at.log, check, verify),
  })

  function putAll({ data, log }: Pair) {
    const plans = [data, log].map((sink) => ({ sink, plan: sink.plan() }))
    for (const { sink, plan } of plans) sink.put(plan)
    return () => {
      for (const { sink, plan } of plans) sink.done(plan)
    }
  }

  /**
   * Removes the new pair at once, because the failure may have been a lack of space. If this fails, the next commit
   * removes the pair.
   */
  function discard() {
    fresh = undefined
    try {
      write(() => (removeOthers(storage.sql, row), {}))
      stale = false
    } catch {
      // Either `lost` is set now, or `stale` is still true.
    }
  }

  /**
   * Chooses the name of the store: the one given to `durableObject`, or else the one given to `open`. A store that an
   * earlier version made has no name of its own, so it is found under any name.
   */
  function choose() {
    name = given ?? asked
    if (given === undefined && !findRow(storage.sql, asked) && isUnnamed(storage.sql)) name = UNNAMED
  }
  const which = () =>
    given === undefined && name !== asked
      ? `"${name}" of this object, which an earlier version made and which goes by any name,`
      : `"${name}" of this object`

  function openWritable(mustExist: boolean) {
    const names = opened.get(storage) ?? new Set()
    if (names.has(name)) {
      throw new NidusError(
        'LOCKED',
        `the store ${which()} is already open; to open another store beside it, give durableObject(ctx.storage, { ` +
          'name }) another name',
      )
    }
    const epoch = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join('-')
    current = atomically(storage, () => {
      const found = findRow(storage.sql, name)
      if (!found && mustExist) throw missing()
      if (found) checkExtents(storage.sql, found)
      row = { ...(found ?? makeStore(storage.sql, name)), epoch }
      putRow(storage.sql, row)
      removeOthers(storage.sql, row)
      const { data, log } = pair(row)
      for (const file of [data, log]) file.findSmall()
      return { data, log }
    })
    opened.set(storage, names.add(name))
    held = true
    return current
  }

  function openReadOnly() {
    const found = findRow(storage.sql, name)
    if (!found) throw missing()
    checkExtents(storage.sql, found)
    row = found
    return pair(row)
  }
  const missing = () => new NidusError('NOT_FOUND', `there is no store "${name}" in this object`)

  const host: OwnHost = {
    kind: 'durable-object',
    derived: sqlDerived(
      storage,
      () => row,
      () => (check(), verify()),
    ),
    // The sinks keep what they are given until the next commit.
    lendViews: false,
    transactional: true,
    async open(mode) {
      checkSql(storage)
      readOnly = mode.readOnly
      lost = fresh = undefined
      stale = false
      try {
        choose()
        return readOnly ? openReadOnly() : openWritable(mode.mustExist)
      } catch (error) {
        throw causeOf(error)
      }
    },
    async changed() {
      let now: Row | undefined
      try {
        now = findRow(storage.sql, name)
      } catch {
        // The error is reported when the store is opened again.
      }
      return now?.generation === row.generation && now.cuts === row.cuts ? 'no' : 'replaced'
    },
    async commit() {
      if (!stale && !current.data.dirty && !current.log.dirty) return check()
      let done = () => {}
      try {
        write(() => {
          if (stale) removeOthers(storage.sql, row)
          done = putAll(current)
          const cut = current.data.cut || current.log.cut
          return { data: current.data.getSize(), log: current.log.getSize(), cuts: row.cuts + (cut ? 1 : 0) }
        })
      } catch (error) {
        throw causeOf(error)
      }
      await sync()
      done()
      stale = false
    },
    async create() {
      check()
      try {
        // An earlier pair may have left extents. They are removed before new ones are added.
        if (stale) write(() => (removeOthers(storage.sql, row), {}))
      } catch (error) {
        throw causeOf(error)
      }
      stale = true
      return (fresh = pair({ ...row, generation: row.generation + 1, data: 0, log: 0 }))
    },
    async drain(all) {
      const files = fresh
      if (!files || (!all && files.data.pending + files.log.pending < DRAIN)) return
      let done = () => {}
      try {
        write(() => ((done = putAll(files)), {}))
      } catch (error) {
        discard()
        throw causeOf(error)
      }
      done()
      // Without this wait, the whole new pair could pile up in the queue of writes.
      await sync()
    },
    async promote(files) {
      if (!fresh || files !== fresh) throw new NotPromoted(new Error('this pair was not made by create()'))
      const { data, log } = fresh
      let done = () => {}
      try {
        write(() => {
          done = putAll({ data, log })
          const next = { ...row, generation: data.generation }
          removeOthers(storage.sql, next)
          return { generation: data.generation, data: data.getSize(), log: log.getSize() }
        })
      } catch (error) {
        if (!(error instanceof NotApplied) || lost) throw causeOf(error)
        discard()
        throw new NotPromoted(error.cause)
      }
      await sync()
      done()
      current = { data, log }
      fresh = undefined
      stale = false
    },
    async close() {
      if (held) opened.get(storage)?.delete(name)
      held = false
    },
    async destroy() {
      checkSql(storage)
      choose()
      if (opened.get(storage)?.has(name))
        throw new NidusError('LOCKED', `the store ${which()} is open: close it before you destroy it`)
      try {
        atomically(storage, () => removeStore(storage.sql, name))
      } catch (error) {
        throw causeOf(error)
      }
      await sync()
    },
  }
  return host
}

function checkSql(storage: DurableStorage) {
  try {
    for (const _ of storage.sql.exec('SELECT 1')) return
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    throw new NidusError(
      'STORAGE_UNAVAILABLE',
      'no SQL can be used in this Durable Object; its class must be SQLite-backed (new_sqlite_classes in ' +
        `wrangler's migrations): ${text}`,
      { cause: error },
    )
  }
}
