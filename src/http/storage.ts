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

/** What a request that is under way is known by. */
export interface Fetching {
  readonly token: string
  /** When it began, by the store's clock. */
  readonly startUs: number
  /**
   * `leads`: no other request of any process fetches the same. `waits`: one does. `behind`: one has stored a response since this
   * one looked. `alone`: its answer is nobody else's.
   */
  readonly role: 'leads' | 'waits' | 'behind' | 'alone'
  /** Versions that had been ended when it began, as they were read before. */
  readonly ended: ReadonlySet<string> | undefined
  /** How many this process had ended itself by then. */
  readonly endCount: number
}

export interface Found {
  readonly responses: readonly StoredResponse[]
  /** When the newest response began that is there, valid or not, by the store's clock; 0 where there is none. */
  readonly seenUs: number
  /** When the URL was last invalidated, by the store's clock; 0 for never. */
  readonly invalidatedUs: number
  /** The No-Vary-Search rule of the path. */
  readonly queryRule?: string | undefined
}

export interface Storage {
  /** What this process has near; undefined: the store is to be asked. */
  near(place: Place): Found | undefined
  /** The valid responses of a place. Rejects as the store does. */
  read(place: Place): Promise<Found>
  /** `seenUs`: of what the caller has read, where it asks to be the one that fetches. */
  begin(place: Place, lease?: Lease, seenUs?: number): Promise<Fetching>
  /** `alone`: the answer may not be shared, so that nobody is to wait for the next one. */
  release(place: Place, fetching: Fetching, alone: boolean): Promise<unknown>
  /** Stores a response; false where it came too late. `versionKeys` are those beside the place's own. */
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
  /** What it is a renewal of: refused where that has been ended since it was read. */
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
/** A version outlives what is stored under it by as long as a command may be on its way. */
const MARGIN_MS = 60_000
const MAX_HINTS = 10_000

const NOTHING = { lines: [], invalidatedUs: 0 }
/** `take`: of whoever has it. */
export type Lease = 'none' | 'ask' | 'take'
/** By what `beginFetch` is given. */
const LEASES: readonly Lease[] = ['none', 'ask', 'take']
/** By what `beginFetch` replies. */
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
  /** Versions that the responses of a record had beside its place's, so that they are read with it. */
  const hints = new Map<string, readonly string[]>()
  /** Of a record: the versions that had been ended when it was last read. A clock of milliseconds does not tell what came first. */
  const ends = new Map<string, ReadonlySet<string>>()

  /** What this process has ended itself, in which order. */
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
    const unread = [...new Set(all.flatMap((one) => one.versions.map(([key]) => key)))].filter(
      (key) => !versions.has(key),
    )
    const readVersions = async (wanted: readonly string[]): Promise<void> => {
      const texts = await getMany(wanted)
      for (const [i, key] of wanted.entries()) versions.set(key, texts[i])
    }
    if (unread.length > 0) {
      await readVersions(unread)
      if (hints.size >= MAX_HINTS) hints.clear()
      hints.set(place.record, [...extra, ...unread])
    }
    const isValid = (one: StoredResponse): boolean =>
      one.versions.every(([key, version]) => idOf(versions.get(key) ?? '') === version)
    // Answered apart, a response may be newer than the versions beside it: those that are read again are newer than the response.
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

  /** A server that is full refuses to write what has ended, but not to delete what there is. */
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
      const [startUs, granted] = await run(beginFetch, place.record, [token, LEASES.indexOf(lease), seenUs])
      return { ...before, startUs, role: lease === 'none' ? 'leads' : (ROLES[granted] as Fetching['role']) }
    },
    release: (place, { token }, alone) => run(releaseFetch, place.record, [token, alone ? 1 : 0]),
    async put(place, { token, startUs, ended, endCount: known }, { response, versionKeys, replaces, lifeMs, renews }) {
      const all = [...new Set([...place.versions, ...versionKeys])]
      const captured = await Promise.all(all.map((key) => run(captureVersion, key, [randomId(), lifeMs + MARGIN_MS])))
      // Ended after this request began: what it brings may be older than that.
      const isLate = (text: string): boolean =>
        endOf(text) >= startUs && !ended?.has(text) && !((ownEnds.get(idOf(text)) as number) <= known)
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
