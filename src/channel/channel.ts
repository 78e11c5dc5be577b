import { HitherError } from '../errors.ts'
import { checkCodec, checkFunction, checkNames, checkSchema, checkSignal, checkWhole } from '../protocol/arguments.ts'
import type { Codec } from '../protocol/codec.ts'
import { checkNamespace, storedKey } from '../protocol/keys.ts'
import { decodeMember, encodeMember } from '../protocol/member.ts'
import type { Schema } from '../protocol/schema.ts'
import { setQuietTimer } from '../runtime/clock.ts'
import { limitOf, within } from '../runtime/deadline.ts'
import { checkKey, checkValue } from '../store/checks.ts'
import type { AtomicStore, Call } from '../store/store.ts'
import { createInbox } from './inbox.ts'
import { wayOf } from './ways.ts'

/** Where channels are: a store, a namespace and a codec, as a cache takes them. */
export interface ChannelSpace {
  /** A store that publishes and subscribes, or one in memory. Any other does not compile, and throws `UNSUPPORTED`. */
  readonly store: AtomicStore & { readonly traits: { readonly channels?: true } }
  /** The channel's name on the server is `<namespace>:<name>`. @default 'hither' */
  readonly namespace?: string
  /** @default JSON that keeps Date, BigInt, Map, Set and bytes */
  readonly codec?: Codec
}

export interface ChannelOptions<T> {
  /**
   * A published value must pass the schema (otherwise `INVALID_VALUE`), and is sent as it was passed in; a subscriber gets the
   * output of the schema. A received message that does not pass is left out.
   */
  readonly schema?: Schema<T>
}

/** What a subscriber gets: a message, or a gap where messages may be missing (the link was down, or the reader too slow). */
export type ChannelItem<T> = { readonly type: 'message'; readonly value: T } | { readonly type: 'gap' }

export interface SubscribeOptions {
  /** Ends the subscription; the loop then rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** How many items are queued at most for a slow reader. Past that a gap replaces the oldest. @default 1000 */
  readonly maxQueued?: number
  /** Called for a message that the codec or the schema refuses. If it throws, the loop rejects and the subscription ends. */
  readonly onInvalid?: (error: unknown) => void
}

/** Items as they come. Leaving the loop ends the subscription. */
export interface Subscription<T> extends AsyncIterableIterator<ChannelItem<T>> {
  /**
   * Resolves once the server has confirmed the subscription: messages published after that are received. Rejects if it cannot
   * subscribe, and with `CLOSED` if the subscription was closed before.
   */
  readonly ready: Promise<void>
  /** Ends the subscription, and a loop over it. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Messages to those who are subscribed at the moment. None is stored: for messages that must not be lost, use a `stream`. */
export interface Channel<T> {
  /**
   * Resolves to how many subscribers the server knew of; on a Cluster, only those of one node. Never sent twice. Rejects with
   * `VALUE_TOO_LARGE` for a message that is larger than a value of the store may be.
   */
  publish(value: T, call?: Call): Promise<number>
  /** Subscribes at once. */
  subscribe(options?: SubscribeOptions): Subscription<T>
}

/** How often a subscription checks whether its store was closed, in milliseconds. */
const LOOK_MS = 500

/**
 * A channel of messages over TCP, over REST (server-sent events), or in this process for a store in memory. Throws
 * `INVALID_KEY` for a name that cannot be a key, `UNSUPPORTED` for a store that has no channels.
 */
export function channel<T = unknown>(space: ChannelSpace, name: string, options: ChannelOptions<T> = {}): Channel<T> {
  checkNames('channel', space ?? null, ['store', 'namespace', 'codec'])
  checkNames('channel', options, ['schema'])
  const { store, codec, namespace = 'hither' } = space
  const { schema } = options
  checkCodec(codec)
  checkSchema(schema)
  const full = storedKey(checkNamespace(namespace), name)
  const { publish, listen } = wayOf(store)
  // Refuses half a surrogate pair: UTF-8 turns it into another character. The server's replies would then name another channel,
  // so that neither the confirmation nor a message would be recognized.
  checkKey(full, store.traits)

  const conform = async (value: unknown): Promise<T> => {
    if (!schema) return value as T
    const result = await schema['~standard'].validate(value)
    if (!result.issues) return result.value
    throw new HitherError('INVALID_VALUE', 'the schema refuses the message, its issues are in cause', {
      cause: result.issues,
    })
  }
  return {
    async publish(value, call) {
      // Encoded before anything is awaited, since the caller may change the value meanwhile. The schema only checks the value: its
      // output is made once, by the subscriber.
      const [text] = await Promise.all([encodeMember(value, full, codec), conform(value)])
      checkValue(text, store.traits)
      return publish(full, text, call)
    },
    subscribe(options = {}) {
      checkNames('subscribe', options, ['signal', 'maxQueued', 'onInvalid'])
      const { signal, maxQueued = 1000, onInvalid } = options
      checkWhole(maxQueued, 'maxQueued', 1)
      checkFunction(onInvalid, 'onInvalid')
      checkSignal(signal)
      const inbox = createInbox<string>(maxQueued)
      const ended = new AbortController()
      const close = async (): Promise<void> => {
        ended.abort(new HitherError('CLOSED', 'the subscription ended'))
        inbox.end()
        cancelLook()
        signal?.removeEventListener('abort', onAbort)
        const stop = await listening.catch(() => undefined)
        await stop?.()
      }
      const fail = (reason: unknown): void => {
        inbox.fail(reason)
        ended.abort(reason)
        void close()
      }
      const onAbort = (): void => fail(signal?.reason)
      // A store does not notify its subscribers when it is closed, so the subscription checks. A call whose deadline has passed
      // sends nothing, and rejects with `CLOSED` if the store is closed.
      const orClosed = (error?: unknown): Promise<unknown> =>
        store.get(full, { deadline: 0 }).then(
          () => error,
          (closed) => (closed?.code === 'CLOSED' ? closed : error),
        )
      const look = (): void => {
        cancelLook = setQuietTimer(look, LOOK_MS)
        void orClosed().then((closed) => closed && fail(closed))
      }
      let cancelLook = setQuietTimer(look, LOOK_MS)
      const listening = listen(full, inbox.add, inbox.lose, { onEnd: fail, signal: ended.signal }).catch(
        async (error) => {
          throw await orClosed(error)
        },
      )
      // The caller gets the error from `ready` or from the next item.
      listening.catch((error) => ended.signal.aborted || fail(error))
      signal?.addEventListener('abort', onAbort)
      const opened = listening.then(() => {})
      const ready = within(opened, limitOf(ended))
      ready.catch(() => {})
      const next = async (): Promise<IteratorResult<ChannelItem<T>>> => {
        for (;;) {
          const item = await inbox.next()
          if (!item) return { done: true, value: undefined }
          if (item.type === 'gap') return { done: false, value: item }
          try {
            const value = await conform(await decodeMember(item.value, full, codec))
            return { done: false, value: { type: 'message', value } }
          } catch (error) {
            try {
              onInvalid?.(error)
            } catch (thrown) {
              // A `for await` loop does not call `return` after `next` has rejected, so the subscription is closed here.
              await close()
              throw thrown
            }
          }
        }
      }
      const subscription: Subscription<T> = {
        ready,
        next,
        close,
        async return() {
          await close()
          return { done: true, value: undefined }
        },
        [Symbol.asyncIterator]: () => subscription,
        [Symbol.asyncDispose]: close,
      }
      return subscription
    },
  }
}
