import { embeddedStore } from 'hither/embedded'
import { list, stream } from 'hither/structures'
import { describe, expect, it } from 'vitest'

describe('an embedded store that is closed', () => {
  it('ends the calls that wait on it', async () => {
    const store = embeddedStore()
    const waiting = [
      list({ store }, 'l').takeFirst({ wait: '1m' }),
      stream({ store }, 's').read({ wait: '1m' }),
      stream({ store }, 'g').group('g').consume({ consumer: 'c' }).next(),
    ]
    const settled = Promise.allSettled(waiting)
    // The waiting calls have reached the engine once a call that was sent after them has its reply.
    await list({ store }, 'other').size()
    await new Promise((resolve) => setTimeout(resolve, 5))
    await store.close()
    for (const one of await settled) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'CLOSED' } })
  })
})
