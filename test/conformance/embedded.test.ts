import { embeddedStore } from 'hither/embedded'
import { lua } from 'hither/lua'
import { afterAll, describe, it } from 'vitest'
import { describeStore } from '../../src/testing/index.ts'

let nowMs = 1_795_000_000_000

describeStore({ describe, it, afterAll }, 'embedded', {
  open: () => embeddedStore({ now: () => nowMs, lua }),
  async elapse(ms) {
    nowMs += ms
  },
  skip: {
    'reads a foreign type as absent, alone and in a batch': 'structures.test.ts writes them by their own commands',
  },
})
