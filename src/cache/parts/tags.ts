import { HitherError } from '../../errors.ts'
import { utf8Length } from '../../protocol/text.ts'

/** What a cache can do with tags. An entry holds its tags and their versions in one block of text. */
export interface TagsPart {
  /**
   * The tags of a call, each once. Throws `INVALID_ARGUMENT` for more than 64, for one that is no string, empty or malformed,
   * and for a life in milliseconds that no tag outlives.
   */
  check(tags: readonly string[], lifeMs?: number): readonly string[]
  /** The block of one tag: the whole is these, joined by commas. */
  format(tag: string, version: string): string
  /** The versions of a block, by tag. */
  parse(block: string): ReadonlyMap<string, string>
  /** How an entry with this block stands to the versions now: `stale` when only the soft half of one has changed. */
  judge(block: string, current: ReadonlyMap<string, string | undefined>): 'valid' | 'stale' | 'dead'
  /** Tags of a call, and those that an entry without a value says its loader has named before: 64 in all. */
  withHints(tags: readonly string[], block: string): readonly string[]
  /** Whether one of the tags of a block has another hard half among these versions. */
  hasEnded(block: string, versions: ReadonlyMap<string, string>): boolean
  /** The versions that a loaded value is stored under. Incomplete: the loader named a tag that was not captured in time. */
  stamp(loaded: LoadedTags): { readonly tags: ReadonlyMap<string, string>; readonly isComplete: boolean }
}

/** The tags of a value that was loaded. */
export interface LoadedTags {
  /** By tag, the versions that were captured before the loader ran. */
  readonly captured: ReadonlyMap<string, string> | undefined
  readonly callTags: readonly string[]
  readonly loaderTags: readonly string[]
  /** The block of the entry whose value the loader has returned again; `''`: it returned another. */
  readonly keptBlock: string
  /** A version that was seen before the loader started, which is as good as a captured one. */
  known(tag: string): string | undefined
}

/** Tags, for `createCache` of `hither/mini`. */
export function tags(): TagsPart {
  return {
    check: checkTags,
    format: formatTag,
    parse: parseTags,
    judge: (block, current) => standing(parseTags(block), current),
    withHints,
    hasEnded,
    stamp,
  }
}

const MAX_TAGS = 64
const MAX_TAG_BYTES = 512
const MAX_TAGGED_MS = 7 * 86_400_000

/** One tag of a block: ASCII, the name percent-encoded. */
function formatTag(tag: string, version: string): string {
  return `${encodeURIComponent(tag)}=${version}`
}

/** The versions of a tag block by tag. Of one that no cache has written: `''` alone, a tag that nobody can have. */
function parseTags(block: string): ReadonlyMap<string, string> {
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
function withHints(tags: readonly string[], block: string): readonly string[] {
  return [...new Set([...tags, ...parseTags(block).keys()])].filter(Boolean).slice(0, MAX_TAGS)
}

function stamp({ captured, callTags, loaderTags, keptBlock, known }: LoadedTags): ReturnType<TagsPart['stamp']> {
  const tags = new Map(captured)
  let isComplete = true
  for (const tag of loaderTags) {
    const version = tags.get(tag) ?? known(tag)
    if (version === undefined) isComplete = false
    tags.set(tag, version ?? '')
  }
  // Hints that were captured in vain make room, as far as there are more than 64.
  const named = [...callTags, ...loaderTags]
  for (const tag of tags.keys()) if (tags.size > MAX_TAGS && !named.includes(tag)) tags.delete(tag)
  // A kept value is as old as it was: its own versions stay, so that one that has ended meanwhile ends it too.
  for (const [tag, version] of parseTags(keptBlock)) {
    const current = tags.get(tag) || known(tag)
    tags.set(tag, current !== undefined && isSameTag(current, version) ? current : version)
  }
  return { tags, isComplete }
}

function hasEnded(block: string, versions: ReadonlyMap<string, string>): boolean {
  for (const [tag, version] of parseTags(block)) {
    const current = versions.get(tag)
    if (current !== undefined && !isSameTag(current, version)) return true
  }
  return false
}

const MALFORMED: ReadonlyMap<string, string> = new Map([['', '']])

/** Whether two versions differ in their soft half alone, if at all. */
function isSameTag(a: string, b: string): boolean {
  return a.slice(0, 16) === b.slice(0, 16)
}

/** How an entry stands to the versions now: `stale` when only a soft half has changed. */
function standing(
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
function checkTags(tags: readonly string[], lifeMs = 1): readonly string[] {
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
