export { NidusVectorStore } from '../langchain/store.js'
