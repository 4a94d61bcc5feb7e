import { coreError } from '../errors/errors.js'
import { browserSalvage as salvage } from '../stores/browser-upkeep.js'
import type { SalvageReport } from '../types/index.js'

// A salvage in the page's own thread. In a file of its own with a core of its own: that of a page's stores cannot do
// it.

export const browserSalvage = (...args: Parameters<typeof salvage>): Promise<SalvageReport> =>
  salvage(...args).catch((error: unknown) => {
    throw coreError(error)
  })
export { salvageOwn } from '../stores/salvage-own-host.js'
