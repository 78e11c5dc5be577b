import { afterAll, describe, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/index.ts'
import { describeStore } from '../../src/testing/index.ts'

let nowMs = 1_795_000_000_000

describeStore({ describe, it, afterAll }, 'memory', {
  open: () => memoryStore({ now: () => nowMs }),
  async elapse(ms) {
    nowMs += ms
  },
  skip: {
    'reads a foreign type as absent, alone and in a batch': 'memory holds nothing but strings and bytes',
  },
})
