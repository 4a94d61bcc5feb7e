// A loop as people write it by hand, with one Float32Array, four accumulators, and a sorted list of the best rows.
export default {
  index: 'none; exact',
  exact: true,
  how: 'JavaScript over one Float32Array, four accumulators',
  async open() {
    let rows, buckets, count, dimension
    return {
      build(input) {
        ;({ rows: count, dimension } = input)
        rows = input.vectors.slice()
        buckets = input.buckets.slice()
      },
      search(query, k, bucket) {
        const best = []
        for (let row = 0; row < count; row++) {
          if (bucket !== undefined && buckets[row] !== bucket) continue
          const at = row * dimension
          let a = 0,
            b = 0,
            c = 0,
            d = 0
          for (let i = 0; i < dimension; i += 4) {
            a += rows[at + i] * query[i]
            b += rows[at + i + 1] * query[i + 1]
            c += rows[at + i + 2] * query[i + 2]
            d += rows[at + i + 3] * query[i + 3]
          }
          const score = a + b + (c + d)
          if (best.length < k || score > best[best.length - 1].score) {
            let place = best.length
            while (place > 0 && best[place - 1].score < score) place--
            best.splice(place, 0, { row, score })
            if (best.length > k) best.pop()
          }
        }
        return best
      },
      rowsOf: (best) => best.map(({ row }) => row),
      close() {},
    }
  },
}
