import { expect, it } from 'vitest'
import { run } from './leaders.mjs'

for (const relaxed of [false, true]) {
  it(
    'each write is made exactly once, although the leader is ended again and again while it works ' +
      `(${relaxed ? 'relaxed' : 'strict'})`,
    { timeout: 300_000 },
    async () => {
      const result = await run({ changes: 60, relaxed })
      expect(result).toMatchObject({ changes: 60, twice: 0, lost: 0, unknown: 0 })
      expect(result.acknowledged).toBeGreaterThan(100)
      console.log(JSON.stringify(result))
    },
  )
}
