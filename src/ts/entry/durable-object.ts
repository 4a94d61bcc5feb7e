export { durableObject } from '../hosts/durable-object/host.js'
export { codeOf } from '../errors/durable-object-rpc.js'
