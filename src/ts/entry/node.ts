import { Nidus as Api } from '../api/nidus.js'
import { nodeRuntime } from '../platforms/node.js'
import { configured } from '../runtime/configure.js'

export const Nidus = configured(nodeRuntime, Api)
export { NidusError } from '../errors/errors.js'
