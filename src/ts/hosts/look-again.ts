import { NidusError } from '../errors/errors.js'
import { sleep } from '../runtime/schedule.js'

const PAUSE_MS = 20
/** A process that works on the store is given a second. After that its state is taken as it is. */
const LOOKS = 50

/**
 * Runs `look`, which reads several files of a store without its lock. Another process may change them between two
 * reads, so that they look damaged or foreign. So a refusal counts only if it comes twice, and nobody has the lock.
 * `busy` answers that. It may also throw the error that counts instead.
 */
export async function lookAgain<T>(
  look: () => T | Promise<T>,
  busy?: () => boolean | void | Promise<boolean | void>,
): Promise<T> {
  for (let before = '', attempt = 1; ; attempt++) {
    try {
      return await look()
    } catch (error) {
      const { name, message } = error as Error
      // The browser's answer if a file in OPFS has changed since it was opened.
      const changed = name === 'NotReadableError'
      if (!(changed || error instanceof NidusError)) throw error
      const inWork = (await busy?.()) || changed
      if ((message === before && !inWork) || attempt === LOOKS) throw error
      before = message
    }
    await sleep(PAUSE_MS)
  }
}
