// This module is loaded when a store is first exported or imported. No page downloads it before.
export { tarOf } from './export.js'
export { importStore } from './import.js'
