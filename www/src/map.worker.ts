/// <reference lib="webworker" />
// Places passages in a plane, along the two directions in which they differ most (principal components).
declare const self: DedicatedWorkerGlobalScope
export {}

const ROUNDS = 24

function normalized(vector: Float64Array) {
  const length = Math.hypot(...vector) || 1
  return vector.map((x) => x / length)
}

/**
 * Finds the direction in which the rows differ most, at right angles to the directions in `before`. Uses power
 * iteration.
 */
function principal(rows: Float32Array, mean: Float64Array, dimension: number, before: Float64Array[]) {
  let direction = normalized(Float64Array.from({ length: dimension }, (_, i) => Math.sin(i * 12.9898 + before.length)))
  const count = rows.length / dimension
  for (let round = 0; round < ROUNDS; round++) {
    const next = new Float64Array(dimension)
    for (let row = 0; row < count; row++) {
      let dot = 0
      for (let i = 0; i < dimension; i++) dot += (rows[row * dimension + i]! - mean[i]!) * direction[i]!
      for (let i = 0; i < dimension; i++) next[i]! += dot * (rows[row * dimension + i]! - mean[i]!)
    }
    for (const other of before) {
      const shared = other.reduce((sum, x, i) => sum + x * next[i]!, 0)
      other.forEach((x, i) => (next[i]! -= shared * x))
    }
    direction = normalized(next)
  }
  return direction
}

self.onmessage = ({ data: { vectors, dimension } }: MessageEvent<{ vectors: Float32Array; dimension: number }>) => {
  const count = vectors.length / dimension
  const mean = new Float64Array(dimension)
  for (let at = 0; at < vectors.length; at++) mean[at % dimension]! += vectors[at]! / count
  const axes: Float64Array[] = []
  for (let n = 0; n < 2; n++) axes.push(principal(vectors, mean, dimension, axes))
  const points = new Float32Array(count * 2)
  for (let row = 0; row < count; row++) {
    axes.forEach((axis, n) => {
      let dot = 0
      for (let i = 0; i < dimension; i++) dot += (vectors[row * dimension + i]! - mean[i]!) * axis[i]!
      points[row * 2 + n] = dot
    })
  }
  self.postMessage(points, [points.buffer])
}
