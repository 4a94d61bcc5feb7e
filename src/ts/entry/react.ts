export { useNidus, useSearch } from '../react/index.js'
