import { coreError } from '../errors/errors.js'
import { browserSalvage as salvage } from '../stores/browser-upkeep.js'
import type { SalvageReport } from '../types/index.js'

// Salvages a store in the page's own thread. This is a separate file with a separate core, because the small core of a
// page's stores cannot salvage.

export const browserSalvage = (...args: Parameters<typeof salvage>): Promise<SalvageReport> =>
  salvage(...args).catch((error: unknown) => {
    throw coreError(error)
  })
export { salvageOwn } from '../stores/salvage-own-host.js'
