import { Nidus } from 'nidus-wasm'
import { check } from './check.js'

check(Nidus, 'matrix').then(
  (found) => (document.title = found),
  (error) => (document.title = `failed: ${error.code} ${error.message}`),
)
