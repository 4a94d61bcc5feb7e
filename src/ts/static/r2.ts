import { NidusError } from '../errors.js'
import type { StaticBucket } from '../types/static.js'
import { changed, type HttpOptions } from './http.js'
import type { StaticFile } from './file.js'

/** An object in a bucket, read by ranges. */
export async function r2File(bucket: StaticBucket, key: string, { onSize, onBytes }: Pick<HttpOptions, 'onSize' | 'onBytes'>): Promise<StaticFile> {
  const failed = (error: unknown) => new NidusError('STORAGE_FAILED', `the bucket's ${key} could not be read`, { cause: error })
  const attempt = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw failed(error)
    }
  }
  const head = () => attempt(() => bucket.head(key))
  const first = await head()
  if (!first) throw new NidusError('NOT_FOUND', `there is no ${key} in the bucket`)
  onSize(first.size)
  return {
    name: key,
    size: first.size,
    async read(at, length) {
      const object = await attempt(() => bucket.get(key, { range: { offset: at, length }, onlyIf: { etagMatches: first.etag } }))
      // Without a body the condition did not hold.
      if (!object || !('arrayBuffer' in object) || object.etag !== first.etag) throw changed(key)
      const bytes = new Uint8Array(await attempt(() => object.arrayBuffer!()))
      if (bytes.length !== length) throw failed(new Error(`${bytes.length} bytes instead of ${length}`))
      onBytes(length)
      return bytes
    },
    async check() {
      if ((await head())?.etag !== first.etag) throw changed(key)
    },
  }
}
