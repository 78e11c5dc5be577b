import { HitherError, isHitherError, StoreRejectedError } from '../errors.ts'
import { randomId } from '../runtime/random.ts'
import type { Store } from '../store/store.ts'
import type { ReplyError, Transport } from '../store/transport.ts'

/** A portion of the keys, and the cursor after it: `''` at the end, undefined if the source has no cursor. */
export interface Page {
  readonly keys: readonly string[]
  readonly next: string | undefined
}

const PAGE = 500
/** The glob pattern of every key. */
const ALL = '*'

/** Which keys belong to a namespace, and a glob pattern that matches all of those. */
export interface Selection {
  readonly pattern: string
  includes(key: string): boolean
}

/**
 * Throws `INVALID_ARGUMENT` for a name that no namespace can have. The characters of a namespace have no other meaning in a
 * glob pattern.
 */
export function selectionOf(namespace: string | undefined): Selection {
  if (namespace === undefined) return { pattern: ALL, includes: (key) => !MARK.test(key) }
  if (typeof namespace !== 'string' || !/^[\w-]+(\.[\w-]+)*$/.test(namespace)) {
    throw new HitherError('INVALID_ARGUMENT', 'a namespace is letters, digits, _ and -, nested ones joined by a dot')
  }
  // An HTTP cache marks its namespace with `!`.
  const own = new RegExp(`^:?${namespace.replaceAll('.', '\\.')}(\\.[\\w-]+)*!?:`)
  return { pattern: `*${namespace}*`, includes: (key) => own.test(key) && !MARK.test(key) }
}

const MARK = /(^|:)hither-migrate:[\w-]{16}$/
const MARK_MS = 60_000

/**
 * Whether what is written to `to` can be read from `from`: two names of one server, or REST before it. Such a copy would write
 * older values over newer ones, and delete those that `to` takes for too large. Where a mark may be neither written nor read, the
 * two count as different places; any other error rejects, since it says nothing. NATS lists a mark for a second after its
 * deletion, so marks are no keys to copy.
 */
export async function isOnePlace(from: Store, to: Store, namespace?: string): Promise<boolean> {
  const mark = `${namespace === undefined ? '' : `${namespace}:`}hither-migrate:${randomId()}`
  try {
    await to.set(mark, mark, MARK_MS)
    return (await from.get(mark)) === mark
  } catch (error) {
    if (isHitherError(error) && /^(UNAUTHORIZED|UNSUPPORTED)$/.test(error.code)) return false
    throw error
  } finally {
    // If this fails, the mark ends by its lifetime.
    await to.delete([mark]).catch(() => {})
  }
}

/**
 * Identifies the server that replies, so that a cursor is not used with another one: after a failover or a restart it would skip
 * keys. Undefined if the server does not say.
 */
export async function serverId({ transport }: Store): Promise<string | undefined> {
  if (!transport || transport.cluster) return undefined
  const reply = await transport.send({ args: ['INFO', 'server'], effect: 'read' })
  return typeof reply === 'string' ? /^run_id:(\w+)/m.exec(reply)?.[1] : undefined
}

/** Number of keys in a source; undefined if it does not say. */
export async function countKeys({ transport }: Store): Promise<number | undefined> {
  if (!transport || transport.cluster) return undefined
  const reply = await transport.send({ args: ['DBSIZE'], effect: 'read' })
  return typeof reply === 'number' ? reply : undefined
}

/**
 * The keys of a store, a page at a time. A single server is asked by cursor, from `cursor` on; any other store is read from the
 * start. Throws `UNSUPPORTED` for a store that cannot list its keys.
 */
export async function* pagesOf(store: Store, selection: Selection, cursor: string): AsyncGenerator<Page> {
  const { transport } = store
  if (transport && !transport.cluster) yield* byCursor(transport, selection, cursor)
  else if (store.scan) yield* paged(store.scan(selection.pattern), selection)
  else throw new HitherError('UNSUPPORTED', `${store.name} cannot list its keys: give them as keys`)
}

async function* byCursor(transport: Transport, { pattern, includes }: Selection, from: string): AsyncGenerator<Page> {
  let cursor = from || '0'
  do {
    const reply = await transport.send({ args: ['SCAN', cursor, 'MATCH', pattern, 'COUNT', PAGE], effect: 'read' })
    if (!Array.isArray(reply)) throw new StoreRejectedError('SCAN', reply as ReplyError)
    cursor = String(reply[0])
    yield { keys: (reply[1] as string[]).filter(includes), next: cursor === '0' ? '' : cursor }
  } while (cursor !== '0')
}

/** Those keys of an iterable that `includes` accepts, in pages. */
export async function* paged(
  keys: Iterable<string> | AsyncIterable<string>,
  { includes }: Pick<Selection, 'includes'>,
): AsyncGenerator<Page> {
  let page: string[] = []
  for await (const key of keys) {
    if (!includes(key)) continue
    page.push(key)
    if (page.length < PAGE) continue
    yield { keys: page, next: undefined }
    page = []
  }
  yield { keys: page, next: '' }
}
