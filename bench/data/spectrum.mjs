// Measures how the variance of rows is spread over directions: the eigenvalues of their covariance.

/** Returns the covariance of rows, d x d. */
function covariance(rows, dimension) {
  const count = rows.length / dimension
  const mean = new Float64Array(dimension)
  for (let i = 0; i < rows.length; i++) mean[i % dimension] += rows[i] / count
  const sums = new Float64Array(dimension * dimension)
  const row = new Float64Array(dimension)
  for (let at = 0; at < rows.length; at += dimension) {
    for (let i = 0; i < dimension; i++) row[i] = rows[at + i] - mean[i]
    for (let i = 0; i < dimension; i++)
      for (let j = i, of = i * dimension; j < dimension; j++) sums[of + j] += row[i] * row[j]
  }
  for (let i = 0; i < dimension; i++) for (let j = 0; j < i; j++) sums[i * dimension + j] = sums[j * dimension + i]
  return sums
}

/** Rotates rows and columns p and q of a symmetric matrix, so that its element (p, q) becomes 0. */
function rotate(matrix, n, p, q) {
  const off = matrix[p * n + q]
  if (off === 0) return
  const theta = (matrix[q * n + q] - matrix[p * n + p]) / (2 * off)
  const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1))
  const c = 1 / Math.sqrt(t * t + 1)
  const s = t * c
  for (let i = 0; i < n; i++) {
    const [a, b] = [matrix[p * n + i], matrix[q * n + i]]
    matrix[p * n + i] = c * a - s * b
    matrix[q * n + i] = s * a + c * b
  }
  for (let i = 0; i < n; i++) {
    const [a, b] = [matrix[i * n + p], matrix[i * n + q]]
    matrix[i * n + p] = c * a - s * b
    matrix[i * n + q] = s * a + c * b
  }
}

/** Returns the eigenvalues of a symmetric matrix, the greatest first: by Jacobi's method. It changes the matrix. */
function eigenvalues(matrix, n) {
  const SWEEPS = 8
  for (let sweep = 0; sweep < SWEEPS; sweep++)
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(matrix, n, p, q)
  return Array.from({ length: n }, (_, i) => matrix[i * n + i]).sort((a, b) => b - a)
}

/** Returns which share of the variance of rows is in their strongest directions, for each of some numbers of those. */
export function sharesOf(rows, dimension, numbers) {
  const values = eigenvalues(covariance(rows, dimension), dimension)
  const sum = (list) => list.reduce((total, value) => total + value, 0)
  const all = sum(values)
  return numbers.map((number) => sum(values.slice(0, number)) / all)
}
