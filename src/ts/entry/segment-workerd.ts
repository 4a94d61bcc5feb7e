import wasm from './nidus.wasm'
import { tellCodes } from '../errors/durable-object-rpc.js'
import { initWith } from '../api/segment.js'

tellCodes()

export const init = initWith({ wasm: { plain: () => wasm } })
export { NidusError } from '../errors/errors.js'
export { Segment } from '../api/segment.js'
