import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// The tests do not use vite.config.ts. That one builds the page, and the tests drive the built page from Node.
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    environment: 'node',
    fileParallelism: false, // each builds the page into the same folder, and two would be too many for a small machine
    include: ['tests/**/*.test.ts'],
    // Only a fault makes a test this long.
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
    expect: { poll: { timeout: 600_000 } },
    bail: 1, // each step continues where the one before ended
  },
})
