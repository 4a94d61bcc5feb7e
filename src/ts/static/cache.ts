import type { Backend } from '../contract/backend.js'
import { NidusError } from '../errors/errors.js'
import type { Answer, HttpOptions } from './answer.js'
import { blobFile, type Pair } from './file.js'
import { httpFile } from './http.js'
import { cacheStorage, digest, opfs } from './keep.js'
import { Kept, NotKept, equal, type FileName, type Taken, type Version } from './kept.js'

/**
 * If one file has changed and the other has not, the server may be in the middle of an upload. A state that has lasted
 * this long counts as a version.
 */
const SETTLED_MS = 10 * 60_000

const has = (error: unknown, ...codes: string[]) => error instanceof NidusError && codes.includes(error.code)

/**
 * Returns whether a state of the server has lasted long enough to be a version. In this state one file is the kept one,
 * and the other is not.
 */
async function settled(kept: Kept, { entry }: Version, which: string): Promise<boolean> {
  const { half } = entry
  const now = Date.now()
  if (half?.which === which && now >= half.since) return now - half.since >= SETTLED_MS
  await kept.commit({ ...entry, half: { which, since: now } }).catch(() => {})
  return false
}

const describe = (file: FileName, answer: Answer) =>
  [file, answer.validators.etag, answer.validators.modified, answer.length].join(' ')

/**
 * Fetches both files that the server has now. Returns `undefined` if they are the kept ones, or if the server has no
 * complete version.
 */
async function newer(
  kept: Kept,
  old: Version | undefined,
  urls: Record<FileName, string>,
): Promise<{ version: Version; fresh: string[] } | undefined> {
  const taken: Partial<Record<FileName, Taken>> = {}
  const give = async () => {
    for (const { part, release } of Object.values(taken)) {
      release()
      await kept.drop(part.name)
    }
  }
  try {
    const data = await kept.ask('data', old?.entry.data)
    if (old) {
      // The head of the log comes first. Otherwise its body would have to wait until the data is here.
      const log = await kept
        .ask('log', old.entry.log)
        .catch((error: unknown) => (data?.drop(), Promise.reject(error as Error)))
      if (!data && !log) return undefined
      if (data) log?.drop()
      if (data && !log && !(await settled(kept, old, describe('data', data)))) return (data.drop(), undefined)
      if (!data) {
        const which = describe('log', log!)
        taken.log = await kept.take('log', log!)
        const { blob } = taken.log
        // If the log only grew, it still belongs to the same data.
        const grew = blob.size >= old.log.size && (await equal(old.log, blob.slice(0, old.log.size)))
        if (!grew && !(await settled(kept, old, which))) return (await give(), undefined)
      }
    }
    if (data) {
      taken.data = await kept.take('data', data)
      const log = await kept.ask('log', old?.entry.log)
      if (log) taken.log = await kept.take('log', log)
      if (old && taken.log) {
        // A server without ETags and dates sends everything each time.
        const [same, sameLog] = [await equal(old.data, taken.data.blob), await equal(old.log, taken.log.blob)]
        const half = same !== sameLog && !(same && (await equal(old.log, taken.log.blob.slice(0, old.log.size))))
        if ((same && sameLog) || (half && !(await settled(kept, old, `${urls.data} ${same}`))))
          return (await give(), undefined)
      }
    }
    for (const file of ['data', 'log'] as const) if (taken[file]) await kept.still(file, taken[file])
    const part = (file: FileName) => taken[file]?.part ?? old!.entry[file]
    const version: Version = {
      entry: { format: 2, data: part('data'), log: part('log') },
      data: taken.data?.blob ?? old!.data,
      log: taken.log?.blob ?? old!.log,
      release: () => Object.values(taken).forEach(({ release }) => release()),
    }
    return { version, fresh: Object.values(taken).map(({ part }) => part.name) }
  } catch (error) {
    await give()
    throw error
  }
}

/**
 * Opens the version that the server has, if it can be fetched completely and opened, and makes it the kept one.
 * Otherwise opens the kept version. `open` refuses files that are no store. Calls `anew` if what was fetched so far
 * cannot be used.
 */
export async function openKept(
  where: 'opfs' | 'cache-storage',
  urls: Record<FileName, string>,
  options: HttpOptions,
  open: (pair: Pair) => Promise<Backend>,
  anew: () => void,
): Promise<Backend> {
  const place = await (where === 'opfs' ? opfs : cacheStorage)()
  const kept = new Kept(place, await digest(`${urls.data}\n${urls.log}`), urls, options)
  const openVersion = async ({ data, log, release }: Version) => {
    const backend = await open([blobFile(urls.data, data), blobFile(urls.log, log)])
    void backend.closed.then(release)
    return backend
  }
  const openNewer = async (old: Version | undefined) => {
    const next = await newer(kept, old, urls)
    if (!next) return undefined
    let backend: Backend
    try {
      backend = await openVersion(next.version)
    } catch (error) {
      next.version.release()
      for (const name of next.fresh) await kept.drop(name)
      throw error
    }
    // If this step fails, the store works all the same and is not kept.
    await kept
      .commit(next.version.entry)
      .then(() => kept.sweep())
      .catch(() => {})
    return backend
  }
  const old = await kept.find().catch(() => undefined)
  let failure: unknown
  try {
    const backend = await openNewer(old)
    if (backend) {
      // Its files may still be in use, one of them by the newer version.
      if (old) void backend.closed.then(old.release)
      return backend
    }
  } catch (error) {
    failure = error
    if (!has(error, 'ABORTED') && error instanceof NotKept) {
      anew()
      // There may be no room to keep the files. They are then used without being kept.
      const files = async () =>
        [
          await httpFile(urls.data, { ...options, ranged: false }),
          await httpFile(urls.log, { ...options, ranged: false }),
        ] as const
      const backend = await files()
        .then(open)
        .catch((error: unknown) => void (failure = error))
      if (backend) return (old?.release(), backend)
    }
  }
  const gone = async () =>
    has(failure, 'NOT_FOUND') &&
    has(
      await kept.ask('log', undefined).then(
        (log) => log?.drop(),
        (error: unknown) => error,
      ),
      'NOT_FOUND',
    )
  if (!old || has(failure, 'ABORTED') || (await gone())) {
    old?.release()
    throw failure
  }
  anew()
  options.onSize(old.data.size + old.log.size)
  try {
    return await openVersion(old)
  } catch (error) {
    old.release()
    if (failure !== undefined || !has(error, 'CORRUPT')) throw failure ?? error
    // The kept files were damaged here. The server still has good ones.
    await kept.clear()
    anew()
    return (await openNewer(undefined))!
  }
}
