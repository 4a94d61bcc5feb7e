export { durableObject } from '../hosts/durable-object.js'
