import { Segment, init } from 'nidus-wasm/segment'
import { expect, it } from 'vitest'
import { compactionTests } from './compaction'
import { faultTests } from './faults'
import { nameTests } from './names'
import { writeTests } from './writes'

export function hostSuite() {
  nameTests()
  writeTests()
  faultTests()
  compactionTests()

  it('the segment works in workerd, too', async () => {
    await init()
    const segment = Segment.inMemory(3)
    segment.append(new Float32Array([1, 0, 0, 0, 1, 0]))
    expect(segment.search(new Float32Array([0, 1, 0]), { topK: 1 })[0]).toEqual({ row: 1, score: 1 })
    segment.close()
  })
}
