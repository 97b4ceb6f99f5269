import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Native kernels use all cores themselves: two files at a time are enough, more only fight for them.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
  resolve: { alias: { smolforge: new URL('./src/index.ts', import.meta.url).pathname } },
})
