import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// Apart from vite.config.ts, which is the page's own: the test builds the page with that and drives it from Node.
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    environment: 'node',
    include: ['tests/**/*.test.ts'],
    // Only what hangs takes so long.
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
    expect: { poll: { timeout: 600_000 } },
    bail: 1, // each step goes on where the one before stopped
  },
})
