export function mulberry32(state: number): () => number
