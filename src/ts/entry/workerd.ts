import wasm from './nidus.wasm'
import { tellCodes } from '../rpc-codes.js'
import { Nidus as Api } from '../nidus.js'
import { workerdPlatform } from '../platform-workerd.js'
import { withPlatform } from '../platform.js'
import { setWasmDefaults } from '../wasm-source.js'

tellCodes()

// workerd compiles nothing at run time: the import above is the compiled module.
export const Nidus = withPlatform(workerdPlatform, () => setWasmDefaults(() => wasm), Api)
export { NidusError } from '../errors.js'
