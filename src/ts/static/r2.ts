import { NidusError } from '../errors.js'
import type { StaticBucket } from '../types/static.js'
import { changed } from './http.js'
import type { StaticFile } from './file.js'

/** An object in a bucket, read by ranges. */
export async function r2File(bucket: StaticBucket, key: string, onBytes: (taken: number) => void): Promise<StaticFile> {
  const failed = (error: unknown) => new NidusError('STORAGE_FAILED', `the bucket's ${key} could not be read`, { cause: error })
  const head = await bucket.head(key).catch((error: unknown) => Promise.reject(failed(error)))
  if (!head) throw new NidusError('NOT_FOUND', `there is no ${key} in the bucket`)
  return {
    name: key,
    size: head.size,
    async read(at, length) {
      const object = await bucket.get(key, { range: { offset: at, length }, onlyIf: { etagMatches: head.etag } }).catch((error: unknown) => Promise.reject(failed(error)))
      // Without a body the condition did not hold.
      if (!object || !('arrayBuffer' in object) || object.etag !== head.etag) throw changed(key)
      const bytes = new Uint8Array(await object.arrayBuffer!().catch((error: unknown) => Promise.reject(failed(error))))
      if (bytes.length !== length) throw failed(new Error(`${bytes.length} bytes instead of ${length}`))
      onBytes(length)
      return bytes
    },
    close() {},
  }
}
