import { HitherError } from '../errors.ts'
import { checkCodec, checkFunction, checkNames, checkSchema, checkSignal, checkWhole } from '../protocol/arguments.ts'
import type { Codec } from '../protocol/codec.ts'
import { checkNamespace, storedKey } from '../protocol/keys.ts'
import { decodeMember, encodeMember } from '../protocol/member.ts'
import type { Schema } from '../protocol/schema.ts'
import { setQuietTimer } from '../runtime/clock.ts'
import { limitOf, within } from '../runtime/deadline.ts'
import { checkKey } from '../store/checks.ts'
import type { AtomicStore, Call } from '../store/store.ts'
import { createInbox } from './inbox.ts'
import { wayOf } from './ways.ts'

/** Where channels are: what a cache takes. */
export interface ChannelSpace {
  /** One that publishes and subscribes, or one in memory. Any other does not compile, and throws `UNSUPPORTED`. */
  readonly store: AtomicStore & { readonly traits: { readonly channels?: true } }
  /** The channel's name on the server is `<namespace>:<name>`. @default 'hither' */
  readonly namespace?: string
  /** @default JSON that keeps Date, BigInt, Map, Set and bytes */
  readonly codec?: Codec
}

export interface ChannelOptions<T> {
  /**
   * What is published must pass it (`INVALID_VALUE`), and is sent as it was given; a subscriber gets what the schema makes of
   * it. A message of others that does not pass is left out.
   */
  readonly schema?: Schema<T>
}

/** What a subscriber gets: a message, or word that messages may have been missed (the link was down, or it read too slowly). */
export type ChannelItem<T> = { readonly type: 'message'; readonly value: T } | { readonly type: 'gap' }

export interface SubscribeOptions {
  /** Ends the subscription; the loop then rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** Most items kept for a reader that is behind; then the oldest go, and a gap says so. @default 1000 */
  readonly maxQueued?: number
  /** Called for a message that the codec or the schema refuses. Where it throws, the loop rejects and the subscription ends. */
  readonly onInvalid?: (error: unknown) => void
}

/** Items as they come. Leaving the loop ends the subscription. */
export interface Subscription<T> extends AsyncIterableIterator<ChannelItem<T>> {
  /**
   * Resolves once the server has subscribed: what is published from then on comes. Rejects when it could not, and with
   * `CLOSED` where the subscription was closed before.
   */
  readonly ready: Promise<void>
  /** Ends the subscription, and a loop over it. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Messages to whoever listens at the moment. None is kept: what must not be lost goes into a `stream`. */
export interface Channel<T> {
  /** Resolves to how many subscribers the server knew of; of a Cluster, those of one node. Never sent twice. */
  publish(value: T, call?: Call): Promise<number>
  /** Subscribes at once. */
  subscribe(options?: SubscribeOptions): Subscription<T>
}

/** How often a subscription looks whether its store was closed, in milliseconds. */
const LOOK_MS = 500

/**
 * A channel of messages over TCP, over REST (server-sent events), or in this process for a store in memory. Throws
 * `INVALID_KEY` for a name that makes no key, `UNSUPPORTED` for a store that has no channels.
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
  // UTF-8 makes another name of half a surrogate pair: no message, and no word that it has subscribed, would come back.
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
      // What the schema makes of it is made once, where it comes in.
      await conform(value)
      return publish(full, await encodeMember(value, full, codec), call)
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
      // A store that is closed tells no subscriber. A call whose deadline has passed sends nothing, and rejects by `CLOSED` then.
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
      // Whoever awaits `ready`, or the next item, gets the error.
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
              // A loop does not end an iterator that rejects.
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
