import { NidusError } from '../errors/errors.js'

/** Loads a part of the package that few pages need. */
export const load = <T>(part: Promise<T>): Promise<T> =>
  part.catch((cause: unknown) => {
    throw new NidusError('FAILED', 'a part of the package could not be loaded', { cause })
  })
export const transfer = () => load(import('../transfer/index.js'))
export const question = () => load(import('../question/index.js'))
export const changes = () => load(import('../changes/index.js'))
