import { initWith } from '../api/segment.js'
import { nodeFiles } from '../platforms/node-files.js'

export const init = initWith(nodeFiles)
export { NidusError } from '../errors/errors.js'
export { Segment } from '../api/segment.js'
