// The exact f32 scan of this package: a segment has rows alone and makes no codes, so each search reads every f32.
const BATCH = 1000

export default {
  index: 'none; exact',
  exact: true,
  how: "this package's `Segment`, which makes no codes",
  async open({ segment: module }) {
    const { init, Segment } = await import(module)
    await init()
    let segment
    return {
      build(input) {
        segment = Segment.inMemory(input.dimension)
        for (let from = 0; from < input.rows; from += BATCH)
          segment.append(input.records(from, Math.min(input.rows, from + BATCH)).vectors)
      },
      search: (query, k) => segment.search(query, { topK: k }),
      rowsOf: (hits) => hits.map(({ row }) => row),
      scoresOf: (hits) => hits.map(({ score }) => score),
      close: () => segment.close(),
    }
  },
}
