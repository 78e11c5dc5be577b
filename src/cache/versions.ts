import { HitherError } from '../errors.ts'
import { NONE } from '../protocol/entry.ts'
import type { Operation } from '../protocol/operation.ts'
import { utf8Length } from '../protocol/text.ts'
import { NEVER } from '../runtime/clock.ts'
import { createMomentary } from '../runtime/momentary.ts'
import { randomId } from '../runtime/random.ts'
import type { AtomicStore, Call } from '../store/store.ts'
import { createRecent } from './recent.ts'
import { put, same } from './transition.ts'

/**
 * What an entry must have been loaded under to be valid: the namespace's generation, and a version for each of its
 * tags. A version is random, so that one which was lost never returns; a missing one equals nothing.
 */
export interface Context {
  readonly generation: string
  /** By tag: 16 characters that end it, then 16 that only make it stale. */
  readonly tags: ReadonlyMap<string, string>
}

/** A namespace: where its things are stored. In the plain format keys are as given. */
export interface Space {
  key(key: string): string
  readonly generation: string
  tag(tag: string): string
}

export interface Versions {
  /** Changes when something is forgotten: a read that was sent before may not be noted after. */
  readonly epoch: number
  /** Takes note of a version that a read sent in `epoch` has shown; undefined: it is missing. */
  note(key: string, version: string | undefined, epoch: number): void
  /** The versions now, as far as the last five seconds have shown all of them. */
  recallAll(space: Space, names: readonly string[]): Context | undefined
  /** The version seen in the last five seconds, if any; with `beforeMs`, seen before that instant. */
  recall(key: string, beforeMs?: number): string | undefined
  /**
   * The versions now, made where they are missing. Each tag then lives as long as an entry of `lifeMs`, and a margin.
   * `generation`, where it is known already.
   */
  capture(space: Space, names: readonly string[], call: Call, options: CaptureOptions): Promise<Context>
  /** As `capture` does with lifetimes, but makes nothing: for an entry whose versions are settled. */
  renew(space: Space, names: readonly string[], call: Call, lifeMs: number): Promise<unknown>
  forget(key: string): void
}

export interface CaptureOptions {
  /** How long what is written under these versions lives, in milliseconds. */
  readonly lifeMs: number
  readonly generation?: string | undefined
}

/** How long a version seen is taken for the current one. */
const REMEMBERED_MS = 5000
const MAX_TAGS = 64
const MAX_TAG_BYTES = 512
const MAX_TAGGED_MS = 7 * 86_400_000
/**
 * How much longer a tag's version lives than what is written under it: an entry may be written after its version was
 * renewed, by as long as a command may be on its way.
 */
const MARGIN_MS = 60_000
/** How long `capture` leaves a caller to read what it will set. */
export const CAPTURED_MS = 3_600_000

/**
 * Returns the version under the key; what is missing, or no version of this length, is replaced by the first argument
 * unless that is empty. A version that has an end then lives for the second argument at least, in milliseconds; 0: one
 * that is made has no end.
 */
export const captureVersion: Operation<readonly [version: string, lifeMs: number], string | null> = {
  name: 'version.capture',
  // A version that was invalidated must not be made again.
  effect: 'once',
  lua: `
local key, made, life = KEYS[1], ARGV[1], ARGV[2]
local version = redis.call('GET', key)
if made ~= '' and (not version or #version ~= #made or version:find('[^%w_-]')) then
 if life == '0' then redis.call('SET', key, made) else redis.call('SET', key, made, 'PX', life) end
 return made
end
local left = redis.call('PTTL', key)
if left >= 0 and left < tonumber(life) then redis.call('PEXPIRE', key, life) end
return version`,
  apply(current, [made, lifeMs], { leftMs = NEVER }) {
    if (made && !(current?.length === made.length && isVersion(current))) return put(made, lifeMs, made)
    return put(current, leftMs < lifeMs ? lifeMs : 'keep', current ?? null)
  },
}

/** Replaces the soft half of a tag's version: what was loaded under it is stale. Answers 1, or 0 where there is none. */
export const softenVersion: Operation<readonly [soft: string], number> = {
  name: 'version.soften',
  // A soft half must not come back either.
  effect: 'once',
  lua: `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('SETRANGE', KEYS[1], 16, ARGV[1])
return 1`,
  apply(current, [soft]) {
    return current === undefined ? same(current, 0) : put(current.slice(0, 16) + soft, 'keep', 1)
  },
}

export function createVersions(run: AtomicStore['run']): Versions {
  const seen = createRecent<string>()
  /** Of this run of microtasks: what many ask for is asked once. */
  const asked = createMomentary<{ readonly lifeMs: number; readonly version: Promise<string | null> }>()
  const renewing: typeof asked = createMomentary()
  let epoch = 0
  const versions: Versions = {
    get epoch() {
      return epoch
    },
    note(key, version, since) {
      if (version === undefined || !isVersion(version)) seen.delete(key)
      else if (since === epoch) seen.set(key, version, REMEMBERED_MS)
      else if (seen.get(key)?.value !== version) seen.delete(key)
    },
    recall(key, beforeMs = NEVER) {
      const known = seen.get(key)
      return known && known.sinceMs < beforeMs ? known.value : undefined
    },
    recallAll(space, names) {
      const generation = versions.recall(space.generation)
      const tags = new Map<string, string>()
      for (const name of names) {
        const version = versions.recall(space.tag(name))
        if (version !== undefined) tags.set(name, version)
      }
      return generation?.length === NONE.length && tags.size === names.length ? { generation, tags } : undefined
    },
    async capture(space, names, call, { lifeMs, generation: known }) {
      const since = epoch
      const capture = (key: string, made: string, lifeMs: number): Promise<string> => {
        let asking = asked.get(key)
        if (!asking || asking.lifeMs < lifeMs) {
          asking = { lifeMs, version: run(captureVersion, key, [made, lifeMs], call) }
          asked.set(key, asking)
        }
        return asking.version.then((version) => {
          versions.note(key, version as string, since)
          return version as string
        })
      }
      const [generation, ...tags] = await Promise.all([
        known ?? capture(space.generation, randomId(), 0),
        ...names.map(async (tag) => {
          return [tag, await capture(space.tag(tag), randomId() + randomId(), lifeMs + MARGIN_MS)] as const
        }),
      ])
      return { generation, tags: new Map(tags) }
    },
    renew(space, names, call, lifeMs) {
      return Promise.all(
        names.map((tag) => {
          const key = space.tag(tag)
          const renewed = renewing.get(key)
          if (renewed && renewed.lifeMs >= lifeMs) return renewed.version
          const version = run(captureVersion, key, ['', lifeMs + MARGIN_MS], call)
          renewing.set(key, { lifeMs, version })
          return version
        }),
      )
    },
    forget(key) {
      epoch++
      asked.delete(key)
      seen.delete(key)
    },
  }
  return versions
}

/** The tag block of an entry: ASCII, `name=version,…` with the name percent-encoded. */
export function formatTags(tags: ReadonlyMap<string, string>): string {
  return Array.from(tags, ([tag, version]) => formatTag(tag, version)).join()
}

export function formatTag(tag: string, version: string): string {
  return `${encodeURIComponent(tag)}=${version}`
}

/** The versions of a tag block by tag. Of one that no cache has written: `''` alone, a tag that nobody can have. */
export function parseTags(block: string): ReadonlyMap<string, string> {
  if (!block) return new Map()
  const parts = block.split(',', MAX_TAGS + 1)
  try {
    const tags = new Map(
      parts.map((part) => {
        const [name = '', version = ''] = part.split('=')
        return [decodeURIComponent(name), version]
      }),
    )
    if (areTags([...tags.keys()]) && parts.length <= MAX_TAGS) return tags
  } catch {
    // A name that is not percent-encoded.
  }
  return MALFORMED
}

/** Tags of a call, and what the stored block of an entry without a value says that its loader has named before: 64 in all. */
export function withHints(tags: readonly string[], block: string): readonly string[] {
  return [...new Set([...tags, ...parseTags(block).keys()])].filter(Boolean).slice(0, MAX_TAGS)
}

/** Drops tags that the call did not name, and that were captured in vain, as far as there are more than 64. */
export function dropHints(tags: Map<string, string>, named: readonly string[]): void {
  for (const tag of tags.keys()) if (tags.size > MAX_TAGS && !named.includes(tag)) tags.delete(tag)
}

const MALFORMED: ReadonlyMap<string, string> = new Map([['', '']])

/** Whether text may be a version: anything else under a version's key counts as missing. */
export function isVersion(text: string): boolean {
  return /^([\w-]{16}){1,2}$/.test(text)
}

/** Whether two versions differ in their soft half alone, if at all. */
export function isSameTag(a: string, b: string): boolean {
  return a.slice(0, 16) === b.slice(0, 16)
}

/** How an entry stands to the versions now: `stale` when only a soft half has changed. */
export function standing(
  tags: ReadonlyMap<string, string>,
  current: ReadonlyMap<string, string | undefined>,
): 'valid' | 'stale' | 'dead' {
  let stale = false
  for (const [tag, version] of tags) {
    const now = current.get(tag)
    if (now === undefined || !isSameTag(now, version)) return 'dead'
    stale ||= now !== version
  }
  return stale ? 'stale' : 'valid'
}

function areTags(tags: readonly string[]): boolean {
  return tags.every((tag) => tag && typeof tag === 'string' && tag.isWellFormed() && utf8Length(tag) <= MAX_TAG_BYTES)
}

/** Throws `INVALID_ARGUMENT` for more than 64 tags, one that is no string, empty or malformed, or a life that no tag outlives. */
export function checkTags(tags: readonly string[], lifeMs = 1): readonly string[] {
  if (!Array.isArray(tags) || tags.length > MAX_TAGS || !areTags(tags)) {
    throw new HitherError(
      'INVALID_ARGUMENT',
      `tags are a list of up to ${MAX_TAGS} strings of 1 to ${MAX_TAG_BYTES} bytes`,
    )
  }
  if (tags.length > 0 && !(lifeMs > 0 && lifeMs <= MAX_TAGGED_MS)) {
    throw new HitherError('INVALID_ARGUMENT', 'an entry with tags needs a ttl, and ttl and grace of 7 days at the most')
  }
  // A copy: the caller's own may change while it is waited for.
  return tags.length > 1 ? [...new Set(tags)] : [...tags]
}
