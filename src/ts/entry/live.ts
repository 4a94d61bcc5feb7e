export { liveStore } from '../live/openings.js'
export { liveSearch } from '../live/search.js'
