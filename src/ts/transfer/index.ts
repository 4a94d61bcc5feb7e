// Loaded when a store is first exported or imported: no page pays for it before.
export { tarOf } from './export.js'
export { importStore } from './import.js'
