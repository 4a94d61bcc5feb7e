import './witness.mjs'
import '/dist/worker.js'
