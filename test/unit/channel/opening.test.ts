import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { listenToEvents } from '../../../src/channel/events.ts'
import { channel } from '../../../src/channel/index.ts'
import type { AtomicStore } from '../../../src/index.ts'

type Body = ReadableStream<Uint8Array>
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const subscribed = bytes('data: subscribe,a,1\n\n')
const message = (text: string): Uint8Array => bytes(`data: message,a,${text}\n\n`)

/** A body that sends `parts` and then nothing more, until `signal` aborts. */
const bodyOf = (signal: AbortSignal, ...parts: Uint8Array[]): Body =>
  new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part)
      signal.addEventListener('abort', () => controller.error(signal.reason))
    },
  })
const silent = (signal: AbortSignal): Promise<Body> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

const gaps: string[] = []
const listen = (open: (signal: AbortSignal) => Promise<Body>) =>
  listenToEvents((_, signal) => open(signal))(
    'a',
    (text) => void gaps.push(text),
    () => void gaps.push('gap'),
    { onEnd: (error) => void gaps.push(String(error)) },
  )

describe('a subscription over an endpoint that is silent', () => {
  beforeEach(() => {
    gaps.length = 0
    vi.useFakeTimers()
  })
  afterEach(() => void vi.useRealTimers())

  it.each([
    ['before its head', silent],
    ['after its head', async (signal: AbortSignal) => bodyOf(signal)],
    ['after some other event', async (signal: AbortSignal) => bodyOf(signal, bytes(': hello\n\n'), message('early'))],
  ])('rejects in time: %s', async (_, open) => {
    const listening = expect(listen(open)).rejects.toMatchObject({ code: 'TIMEOUT', retryable: true })
    await vi.advanceTimersByTimeAsync(6000)
    await listening
    expect(vi.getTimerCount()).toBe(0)
  })
  it('a name with line ends has its messages whole', async () => {
    const got: string[] = []
    const lines = (text: string): Uint8Array => bytes(`${text.replace(/^|\n/g, '$&data: ')}\n\n`)
    const opened = listenToEvents(async (_, signal) =>
      bodyOf(signal, lines('subscribe,a\nb\nc,1'), lines('message,a\nb\nc,hi')),
    )
    const stop = await opened(
      'a\r\nb\nc',
      (text) => void got.push(text),
      () => {},
      { onEnd: () => {} },
    )
    await vi.waitFor(() => expect(got).toEqual(['hi']))
    await stop()
  })
  it('one that refuses leaves no timer behind', async () => {
    await expect(listen(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused')
    expect(vi.getTimerCount()).toBe(0)
  })
  it('rejects with the reason of its signal at once', async () => {
    const traits = { ...memoryStore().traits, shared: true }
    const transport = { events: (_: string, signal: AbortSignal) => silent(signal) }
    const store = { ...memoryStore(), traits, transport, command: () => {} } as unknown as AtomicStore
    const stop = new AbortController()
    const subscription = channel({ store }, 'a').subscribe({ signal: stop.signal })
    stop.abort(new Error('left'))
    await expect(subscription.ready).rejects.toThrow('left')
    await expect(subscription.next()).rejects.toThrow('left')
  })
  it('one that is closed before that ends at once, and is never ready', async () => {
    const signals: AbortSignal[] = []
    const traits = { ...memoryStore().traits, shared: true }
    const events = (_: string, signal: AbortSignal) => {
      signals.push(signal)
      return silent(signal)
    }
    const store = { ...memoryStore(), traits, transport: { events }, command: () => {} } as unknown as AtomicStore
    const subscription = channel({ store }, 'a').subscribe()
    await subscription.close()
    expect(signals[0]?.aborted).toBe(true)
    await expect(subscription.ready).rejects.toMatchObject({ code: 'CLOSED' })
    expect(await subscription.next()).toEqual({ done: true, value: undefined })
    expect(vi.getTimerCount()).toBe(0)

    // A store that cannot call off a subscription which is being opened.
    const subscribed = Promise.withResolvers<() => Promise<void>>()
    let ended = 0
    const late = { ...store, subscribe: () => subscribed.promise } as unknown as AtomicStore
    const other = channel({ store: late }, 'a').subscribe()
    const closing = other.close()
    await expect(other.ready).rejects.toMatchObject({ code: 'CLOSED' })
    subscribed.resolve(async () => void ended++)
    await closing
    expect([ended, await other.next()]).toEqual([1, { done: true, value: undefined }])
  })
  it('one whose store is closed before that rejects with that, however the attempt ends', async () => {
    const memory = memoryStore()
    const subscribe = async () => Promise.reject(new Error('the connection ended'))
    const store = {
      ...memory,
      traits: { ...memory.traits, shared: true },
      subscribe,
      publish: async () => 0,
    } as unknown as AtomicStore
    await expect(channel({ store }, 'a').subscribe().ready).rejects.toThrow('the connection ended')
    const subscription = channel({ store }, 'a').subscribe()
    await memory.close()
    await expect(subscription.ready).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(subscription.next()).rejects.toMatchObject({ code: 'CLOSED' })
  })
  it('waits for messages without an end once it has subscribed', async () => {
    const signals: AbortSignal[] = []
    const stop = await listen(async (signal) => {
      signals.push(signal)
      return bodyOf(signal, subscribed)
    })
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect([signals.length, signals[0]?.aborted, gaps]).toEqual([1, false, []])
    await stop()
    expect(signals[0]?.aborted).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })
  it('tries again where it was silent after a cut, and tells the gap', async () => {
    let attempts = 0
    const stop = await listen(async (signal) => {
      attempts++
      if (attempts === 1) return new Response('data: subscribe,a,1\n\n').body as Body
      return attempts < 4 ? silent(signal) : bodyOf(signal, subscribed, message('late'))
    })
    await vi.advanceTimersByTimeAsync(60_000)
    expect([attempts, gaps]).toEqual([4, ['gap', 'late']])
    await stop()
  })
})
