import { HitherError } from 'hither'
import { embeddedStore } from 'hither/embedded'
import { type ConsumeOptions, type GroupEntry, type StreamGroup, stream } from 'hither/structures'
import { afterEach, describe, expect, it, vi } from 'vitest'

// Consumers of a group that work on one entry while others of the same batch wait. The clocks of the server and of the
// process are the test's.

afterEach(() => void vi.restoreAllMocks())

async function setUp() {
  const clock = { ms: 1_000_000_000 }
  vi.spyOn(performance, 'now').mockImplementation(() => clock.ms)
  const store = embeddedStore({ now: () => clock.ms })
  const jobs = stream<number>({ store }, 'jobs')
  for (const n of [1, 2, 3]) await jobs.append(n)
  return { clock, store, jobs, group: jobs.group('g') }
}

/** The group of a consumer for whose XCLAIM something happens before it is sent. */
function groupBefore(store: ReturnType<typeof embeddedStore>, happens: () => void): StreamGroup<number> {
  const command: typeof store.command = async (keys, args, ...more) => {
    if (args[0] === 'XCLAIM') happens()
    return store.command(keys, args, ...more)
  }
  return stream<number>({ store: { ...store, command } }, 'jobs').group('g')
}

const consume = (group: StreamGroup<number>, consumer: string, options?: Partial<ConsumeOptions>) =>
  group.consume({ consumer, claimAfter: 1000, ...options })

async function nextOf(consuming: AsyncIterator<GroupEntry<number>>): Promise<GroupEntry<number>> {
  const { value } = await consuming.next()
  return value
}

describe('consumers that work for long', () => {
  it('keep the rest of what they have read', async () => {
    const { clock, jobs, group } = await setUp()
    const a = consume(group, 'a')
    await (await nextOf(a)).ack()
    clock.ms += 600
    const second = await nextOf(a)
    clock.ms += 600
    await jobs.append(4)
    const other = await nextOf(consume(group, 'b'))
    expect([second.value, other.value, other.deliveries]).toEqual([2, 4, 1])
    const third = await nextOf(a)
    expect([third.value, third.deliveries]).toEqual([3, 1])
  })
  it('leave out what another has taken over meanwhile, whether it is done or not', async () => {
    const { clock, jobs, group } = await setUp()
    const a = consume(group, 'a')
    await (await nextOf(a)).ack()
    clock.ms += 1500
    const b = consume(group, 'b')
    const taken = await nextOf(b)
    expect([taken.value, taken.deliveries]).toEqual([2, 2])
    await taken.ack()
    clock.ms += 10
    await jobs.append(4)
    expect((await nextOf(a)).value).toBe(4)
    expect((await nextOf(b)).value).toBe(3)
  })
  it('leave what another works on to it, though their own claim is late', async () => {
    const { clock, store, jobs, group } = await setUp()
    const a = consume(
      groupBefore(store, () => {
        clock.ms += 600
      }),
      'a',
    )
    await (await nextOf(a)).ack()
    clock.ms += 1100
    expect((await nextOf(consume(group, 'b'))).value).toBe(2)
    await jobs.append(4)
    expect((await nextOf(a)).value).toBe(4)
  })
  /** The group of a consumer that stands still after the server has delivered the first entries to it. */
  function groupAfter(store: ReturnType<typeof embeddedStore>, stand: () => unknown): StreamGroup<number> {
    let stands = true
    const command: typeof store.command = async (keys, args, ...more) => {
      const reply = await store.command(keys, args, ...more)
      if (args[0] !== 'XREADGROUP' || !args.includes('>') || !stands) return reply
      stands = false
      await stand()
      return reply
    }
    const transport = { ...store.transport, exclusive: undefined, wait: undefined }
    return stream<number>({ store: { ...store, command, transport } as never }, 'jobs').group('g')
  }
  it.each([true, false])('leave out what another took over before they saw its reply, done: %s', async (isDone) => {
    const { clock, store, group } = await setUp()
    const stand = async () => {
      clock.ms += 1500
      const taken = await nextOf(consume(group, 'b', { batch: 1 }))
      if (isDone) await taken.ack()
    }
    const a = consume(groupAfter(store, stand), 'a')
    const first = await nextOf(a)
    expect([first.value, first.deliveries]).toEqual([2, 1])
    const second = await nextOf(a)
    expect([second.value, second.deliveries]).toEqual([3, 1])
  })
  it.each([
    [900, 400],
    [300, 720],
  ])(
    'leave out what another took over once they had seen a reply %i ms late, after %i ms of work',
    async (lateMs, workMs) => {
      const { clock, store, jobs, group } = await setUp()
      const stand = (): void => {
        clock.ms += lateMs
      }
      const a = consume(groupAfter(store, stand), 'a')
      const first = await nextOf(a)
      expect([first.value, first.deliveries]).toEqual([1, 1])
      clock.ms += 1000 - lateMs
      const b = consume(group, 'b')
      await (await nextOf(b)).ack()
      await (await nextOf(b)).ack()
      clock.ms += workMs - (1000 - lateMs)
      await jobs.append(4)
      expect((await nextOf(a)).value).toBe(4)
      expect((await nextOf(b)).value).toBe(3)
    },
  )
  it('are given what was trimmed while it waited', async () => {
    const { clock, jobs, group } = await setUp()
    const a = consume(group, 'a')
    await nextOf(a)
    clock.ms += 600
    await jobs.append(4, { maxLength: 1 })
    expect([(await nextOf(a)).value, (await nextOf(a)).value, (await nextOf(a)).value]).toEqual([2, 3, 4])
  })
  it('count no delivery more where the server was down for a moment', async () => {
    const { clock, store } = await setUp()
    const failures = [new HitherError('STORE_UNAVAILABLE', 'down', { retryable: true })]
    const fail = (): void => {
      const failure = failures.pop()
      if (failure) throw failure
    }
    const a = consume(groupBefore(store, fail), 'a', { poison: { after: 1, to: 'dead' } })
    await (await nextOf(a)).ack()
    clock.ms += 600
    const second = await nextOf(a)
    expect([second.value, second.deliveries, failures]).toEqual([2, 1, []])
    expect(await stream({ store }, 'dead').size()).toBe(0)
  })
  it.each([600, 1500])('go on if their group was deleted meanwhile, after %i ms', async (ms) => {
    const { clock, group } = await setUp()
    const a = consume(group, 'a')
    await nextOf(a)
    clock.ms += ms
    await group.destroy()
    expect((await nextOf(a)).value).toBe(1)
  })
  it('are given no further entry once their signal has aborted', async () => {
    const { group } = await setUp()
    const stop = new AbortController()
    const a = consume(group, 'a', { signal: stop.signal })
    await (await nextOf(a)).ack()
    stop.abort(new Error('enough'))
    await expect(a.next()).rejects.toThrow('enough')
    expect((await group.pending()).count).toBe(2)
  })
  it('take over what others left also after the clock of their machine was set back', async () => {
    const { clock, jobs, group } = await setUp()
    const b = consume(group, 'b', { batch: 3 })
    for (const n of [1, 2, 3]) {
      const entry = await nextOf(b)
      expect(entry.value).toBe(n)
      await entry.ack()
    }
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() - 3_600_000)
    await jobs.append(4)
    await nextOf(consume(group, 'a'))
    clock.ms += 2000
    await jobs.append(5)
    expect((await nextOf(b)).value).toBe(4)
  })
})
