import { perform } from './perform.js'

window.inPage = perform
