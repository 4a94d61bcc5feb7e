export { durableObject } from '../hosts/durable-object.js'
export { codeOf } from '../rpc-codes.js'
