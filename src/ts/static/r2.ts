import { NidusError } from '../errors/errors.js'
import type { StaticBucket } from '../types/static.js'
import { changed, type HttpOptions } from './answer.js'
import type { StaticFile } from './file.js'

type Options = Pick<HttpOptions, 'waits' | 'onSize' | 'onBytes'>

/** Opens an object in a bucket, which is read by ranges. */
export async function r2File(
  bucket: StaticBucket,
  key: string,
  { waits, onSize, onBytes }: Options,
): Promise<StaticFile> {
  const failed = (error: unknown) =>
    new NidusError('STORAGE_FAILED', `the bucket's ${key} could not be read`, { cause: error })
  const attempt = async <T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    const exchange = waits.begin(`the bucket's ${key}`, signal)
    try {
      // In an async function, an error that is thrown at once becomes a rejection, too.
      return await exchange.hear(async () => work())
    } catch (error) {
      throw error instanceof NidusError ? error : failed(error)
    } finally {
      exchange.done()
    }
  }
  const head = () => attempt(() => bucket.head(key))
  const first = await head()
  if (!first) throw new NidusError('NOT_FOUND', `there is no ${key} in the bucket`)
  onSize(first.size)
  return {
    name: key,
    size: first.size,
    async read(at, length, signal) {
      const object = await attempt(
        () => bucket.get(key, { range: { offset: at, length }, onlyIf: { etagMatches: first.etag } }),
        signal,
      )
      // If there is no body, the condition did not hold.
      if (!object || !('arrayBuffer' in object) || object.etag !== first.etag) throw changed(key)
      const bytes = new Uint8Array(await attempt(() => object.arrayBuffer!(), signal))
      if (bytes.length !== length) throw failed(new Error(`${bytes.length} bytes instead of ${length}`))
      onBytes(length)
      return bytes
    },
    async check() {
      const now = await head()
      if (now?.etag !== first.etag || now.size !== first.size) throw changed(key)
    },
  }
}
