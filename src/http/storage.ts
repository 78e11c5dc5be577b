import { isHitherError } from '../errors.ts'
import type { NearPart, NearTier } from '../near/index.ts'
import type { Arg, Operation, Reply } from '../protocol/operation.ts'
import { now } from '../runtime/clock.ts'
import { randomId } from '../runtime/random.ts'
import { createLastResort } from '../store/last-resort.ts'
import { createStoreBreaker } from '../store/outage.ts'
import type { AtomicStore } from '../store/store.ts'
import { type Ask, type Chunks, createChunks } from './chunks.ts'
import { formatResponse, parseResponse, type StoredResponse } from './entry.ts'
import type { Keys } from './keys.ts'
import { attachNear } from './near.ts'
import {
  beginFetch,
  captureVersion,
  endVersion,
  invalidateUrl,
  parseRecord,
  putResponse,
  releaseFetch,
} from './operations.ts'
import type { Place } from './place.ts'

/**
 * A request to the origin that has begun. `put` stores its response only if since then the URL was not invalidated and none of
 * its versions was ended. The times are by the store's clock, which may count milliseconds. A version that was ended in the same
 * millisecond, but before the request began, would look ended since. `ended` and `endCount` identify such versions.
 */
export interface Fetching {
  readonly token: string
  /** When it began, in microseconds by the store's clock, and after the last invalidation of its URL. */
  readonly startUs: number
  /** The store's time when it began. Less than `startUs` if the URL was invalidated at that time. */
  readonly nowUs: number
  /**
   * `leads`: this request has the lease, or did not ask for it. `waits`: another request has the lease. `behind`: another request
   * has stored a response after this one read the store. `alone`: nobody waits, since the last response could not be shared.
   */
  readonly role: 'leads' | 'waits' | 'behind' | 'alone'
  /** Versions that were ended before this request began, as the last read of the record saw them. */
  readonly ended: ReadonlySet<string> | undefined
  /** How many versions this process had ended itself before this request began. */
  readonly endCount: number
}

export interface Found {
  readonly responses: readonly StoredResponse[]
  /** When the request of the newest stored response, valid or not, began, in microseconds by the store's clock; 0 for none. */
  readonly seenUs: number
  /** When the URL was last invalidated, in microseconds by the store's clock; 0 for never. */
  readonly invalidatedUs: number
  /** The No-Vary-Search rule of the path. */
  readonly queryRule?: string | undefined
}

export interface Storage {
  /** The near tier entry of a place; undefined if the store has to be read. */
  near(place: Place): Found | undefined
  /** The valid responses of a place. Rejects as the store does. */
  read(place: Place): Promise<Found>
  /** Notes that a request begins. `seenUs`, as the caller has read it, counts when it asks for the lease. */
  begin(place: Place, lease?: Lease, seenUs?: number): Promise<Fetching>
  /** Frees the lease. `alone`: the response may not be shared, so nobody should wait for the next one. */
  release(place: Place, fetching: Fetching, alone: boolean): Promise<unknown>
  /** Stores a response. Resolves to undefined when it came too late. `versionKeys` are those beside the place's own. */
  put(place: Place, fetching: Fetching, response: Putting): Promise<StoredResponse | undefined>
  invalidate(place: Place): Promise<unknown>
  end(versionKeys: readonly string[]): Promise<unknown>
  setQueryRule(place: Place, rule: string, lifeMs: number): Promise<unknown>
  hasQueryRule(place: Place): Promise<boolean>
  readonly chunks: Chunks
  close(): Promise<void>
}

export interface Putting {
  readonly response: Omit<StoredResponse, 'versions' | 'startUs'>
  readonly versionKeys: readonly string[]
  readonly replaces: string
  readonly lifeMs: number
  /** The response that this one renews. It is refused if that response was ended after it was read. */
  readonly renews: StoredResponse | undefined
}

export interface StorageOptions {
  readonly store: AtomicStore
  readonly near: NearTier | undefined
  readonly keys: Keys
  readonly timeoutMs: number
  readonly maxVariants: number
  readonly track: (work: Promise<unknown>) => void
}

const VERSION_LENGTH = 16
/** How much longer a version lives than the responses under it: a command may be under way for so long. */
const MARGIN_MS = 60_000
const MAX_HINTS = 10_000

const NOTHING = { lines: [], invalidatedUs: 0 }
/**
 * Whether a request asks for the lease of its URL. `take`: also from the request that has it. `before`: it does not, and began
 * before, under another URL.
 */
export type Lease = 'none' | 'ask' | 'take' | 'before'
/** By the argument of `beginFetch`. */
const LEASES: readonly Lease[] = ['none', 'ask', 'take', 'before']
/** The role for each reply of `beginFetch`. */
const ROLES = ['waits', 'leads', 'alone', 'behind'] as const

/** When a version was ended, in microseconds by the store's clock; 0 for never. */
const endOf = (version: string): number => Number(version.slice(VERSION_LENGTH))
const idOf = (version: string): string => version.slice(0, VERSION_LENGTH)

export function createStorage({ store, near: tier, keys, timeoutMs, maxVariants, track }: StorageOptions): Storage {
  const lastResort = createLastResort(store, timeoutMs)
  const ask: Ask = (work) => lastResort((nowMs) => work({ deadline: nowMs + timeoutMs }), now(), {})
  const guarded = createStoreBreaker(store.part?.bind(store), timeoutMs, () => {})
  const run = <A extends readonly Arg[], R extends Reply>(operation: Operation<A, R>, key: string, args: A) =>
    guarded([key], () => ask((call) => store.run(operation, key, args, call)))
  const getMany = (stored: readonly string[]) => guarded(stored, () => ask((call) => store.getMany(stored, call)))
  const near: NearPart | undefined = tier && attachNear(tier, { store, space: keys.space, run, track })
  const nameOf = near?.names(keys.space) ?? ((key: string) => key)
  const nearName = (place: Place): string => nameOf(place.record.slice(keys.space.length + 1))
  /** By record: keys of the versions that its responses had beside its place's. They are then read together with the record. */
  const hints = new Map<string, readonly string[]>()
  /** By record: the versions that had been ended when it was last read. See `Fetching`. */
  const ends = new Map<string, ReadonlySet<string>>()

  /** The versions that this process has ended itself, with the number of each in their order. */
  const ownEnds = new Map<string, number>()
  let endCount = 0

  const noteEnds = (record: string, versions: readonly (string | undefined)[]): void => {
    const ended = versions.filter((text) => text !== undefined && endOf(text) > 0) as string[]
    ends.delete(record)
    if (ended.length === 0) return
    if (ends.size >= MAX_HINTS) ends.clear()
    ends.set(record, new Set(ended))
  }
  const read = async (place: Place): Promise<Found> => {
    const failed = near?.retryPendingDelete(place.record)
    if (failed && (await failed)) return { responses: [], seenUs: 0, invalidatedUs: 0 }
    near?.beforeRead()
    const ticket = near?.begin()
    const atMs = now()
    const extra = hints.get(place.record) ?? []
    const versionKeys = [...place.versions, ...extra]
    const asked = [place.record, ...versionKeys, ...(place.queryRule ? [place.queryRule] : [])]
    const values = await getMany(asked)
    near?.onAnswer()
    const versions = new Map(versionKeys.map((key, i) => [key, values[i + 1]]))
    const queryRule = place.queryRule ? values.at(-1) : undefined
    const { lines, invalidatedUs } = parseRecord(values[0]) ?? NOTHING
    const seenUs = Math.max(0, ...lines.map(({ startUs }) => startUs))
    const all = lines.flatMap((line) => parseResponse(line.response, line.variant, line.startUs) ?? [])
    const used = [...new Set(all.flatMap((one) => one.versions.map(([key]) => key)))]
    const unread = used.filter((key) => !versions.has(key))
    const readVersions = async (wanted: readonly string[]): Promise<void> => {
      const texts = await getMany(wanted)
      for (const [i, key] of wanted.entries()) versions.set(key, texts[i])
    }
    if (unread.length > 0) await readVersions(unread)
    // Only those in use now: a page whose tags change would otherwise read all that it ever had.
    const hinted = used.filter((key) => !place.versions.includes(key))
    if (unread.length > 0 || (all.length > 0 && hinted.length < extra.length)) {
      if (hints.size >= MAX_HINTS) hints.clear()
      hints.set(place.record, hinted)
    }
    const isValid = (one: StoredResponse): boolean =>
      one.versions.every(([key, version]) => idOf(versions.get(key) ?? '') === version)
    // If the store reads keys at separate moments, a version may have been read before it changed and its response after that.
    // A second read of the versions is later than that of the responses.
    if (store.traits.readsApart && !all.every(isValid)) await readVersions([...versions.keys()])
    noteEnds(place.record, [...versions.values()])
    const responses = all.filter(isValid)
    const newest = Math.max(...responses.map((one) => one.startUs))
    if (near && ticket !== undefined && responses.length > 0 && !responses.some((one) => 'id' in one.body)) {
      const tags = [...new Set(responses.flatMap((one) => one.versions.map(([key]) => key)))]
      const endMs = atMs + 86_400_000
      const fill = {
        value: { responses, seenUs, invalidatedUs, queryRule },
        writtenMs: newest / 1000,
        freshUntilMs: endMs,
        expiresMs: endMs,
      }
      near.keep(nearName(place), { ...fill, extras: { tags } }, atMs, ticket)
    }
    return { responses, seenUs, invalidatedUs, queryRule }
  }

  /** Deletes the key if the store rejects the write: a server that is full refuses writes, but not deletes. */
  const orDelete = async (key: string, ended: Promise<unknown>): Promise<unknown> => {
    try {
      return await ended
    } catch (error) {
      if (!isHitherError(error) || error.code !== 'STORE_REJECTED') throw error
      return ask((call) => store.delete([key], call))
    }
  }
  const endOne = async (key: string): Promise<void> => {
    const made = randomId()
    await orDelete(key, run(endVersion, key, [made]))
    if (ownEnds.size >= MAX_HINTS) ownEnds.clear()
    ownEnds.set(made, ++endCount)
  }
  const withInvalidation = async (stored: readonly string[], write: () => Promise<unknown>): Promise<unknown> =>
    near ? near.withInvalidation(stored, 'deletes', write) : write()

  return {
    near: (place) => near?.get(nearName(place), now())?.value as Found | undefined,
    read,
    async begin(place, lease = 'none', seenUs = 0) {
      const token = randomId()
      const before = { token, ended: ends.get(place.record), endCount }
      const [startUs, granted, nowUs] = await run(beginFetch, place.record, [token, LEASES.indexOf(lease), seenUs])
      return { ...before, startUs, nowUs, role: lease === 'none' ? 'alone' : (ROLES[granted] as Fetching['role']) }
    },
    release: (place, { token }, alone) => run(releaseFetch, place.record, [token, alone ? 1 : 0]),
    async put(place, fetching, { response, versionKeys, replaces, lifeMs, renews }) {
      const { token, startUs, nowUs, ended, endCount: known } = fetching
      const all = [...new Set([...place.versions, ...versionKeys])]
      const captured = await Promise.all(all.map((key) => run(captureVersion, key, [randomId(), lifeMs + MARGIN_MS])))
      // The version was ended after this request began, so the response may be older than the purge.
      const isLate = (text: string): boolean =>
        endOf(text) >= nowUs && !ended?.has(text) && !((ownEnds.get(idOf(text)) as number) <= known)
      if (captured.some(isLate)) return undefined
      const versions = all.map((key, i) => [key, idOf(captured[i] as string)] as const)
      const renewed = new Map(renews?.versions)
      if (versions.some(([key, version]) => (renewed.get(key) ?? version) !== version)) return undefined
      const stored = { ...response, versions, startUs }
      const text = formatResponse(stored)
      const args = [
        token,
        startUs,
        response.variant,
        replaces,
        lifeMs,
        maxVariants,
        text,
        renews?.startUs ?? 0,
      ] as const
      const write = (): Promise<number> => run(putResponse, place.record, args)
      const done = near ? await near.withInvalidation([place.record], 'writes', write) : await write()
      return done === 1 ? stored : undefined
    },
    invalidate: (place) =>
      withInvalidation([place.record], () => orDelete(place.record, run(invalidateUrl, place.record, []))),
    end: (versionKeys) => withInvalidation(versionKeys, () => Promise.all(versionKeys.map(endOne))),
    setQueryRule: (place, rule, lifeMs) =>
      ask(async (call) => place.queryRule && store.set(place.queryRule, rule, lifeMs, call)),
    hasQueryRule: async (place) => place.queryRule !== undefined && (await getMany([place.queryRule]))[0] !== undefined,
    chunks: createChunks(store, keys, ask),
    async close() {
      await near?.close()
    },
  }
}
