import { HitherError } from '../../errors.ts'
import { utf8Length } from '../../protocol/text.ts'

/** The part of a cache that handles tags. An entry holds its tags and their versions in one block of text. */
export interface TagsPart {
  /**
   * Returns the tags of a call without duplicates. Throws `INVALID_ARGUMENT` for more than 64 tags, for a tag that is not a
   * well-formed string of 1 to 512 bytes, and for tags of an entry whose lifetime is 0 (no end) or longer than 7 days.
   */
  check(tags: readonly string[], lifeMs?: number): readonly string[]
  /** The text of one tag in a tag block, in which these are joined by commas. */
  format(tag: string, version: string): string
  /** The versions of a block, by tag. A malformed block has the single tag `''`, which has no version: its entry is dead. */
  parse(block: string): ReadonlyMap<string, string>
  /**
   * Compares the versions in an entry's block with the current ones. `stale`: only soft halves have changed. `dead`: a version
   * is missing, or its hard half has changed.
   */
  judge(block: string, current: ReadonlyMap<string, string | undefined>): 'valid' | 'stale' | 'dead'
  /** The tags of a call, and those in the block of an entry without a value, which an earlier loader named: at most 64 in all. */
  withHints(tags: readonly string[], block: string): readonly string[]
  /** Whether `versions` has another hard half for a tag of the block. */
  hasEnded(block: string, versions: ReadonlyMap<string, string>): boolean
  /**
   * The versions to store a loaded value with. `isComplete` is false if the loader named a tag of which no version from before
   * it ran is known.
   */
  stamp(loaded: LoadedTags): { readonly tags: ReadonlyMap<string, string>; readonly isComplete: boolean }
}

/** The tags of a loaded value. */
export interface LoadedTags {
  /** By tag, the versions that were captured before the loader ran. */
  readonly captured: ReadonlyMap<string, string>
  readonly callTags: readonly string[]
  readonly loaderTags: readonly string[]
  /** The block of the previous entry, if the loader kept its value; `''`: it returned another value. */
  readonly keptBlock: string
  /** The version of a tag that was seen before the loader started, which is as good as a captured one; undefined: none was. */
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

/** One tag of a block. It is ASCII: the name is percent-encoded. */
function formatTag(tag: string, version: string): string {
  return `${encodeURIComponent(tag)}=${version}`
}

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
    // A name is not valid percent-encoding.
  }
  return MALFORMED
}

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
  // More than 64 tags: drop hints that neither the call nor the loader has named this time.
  const named = [...callTags, ...loaderTags]
  for (const tag of tags.keys()) if (tags.size > MAX_TAGS && !named.includes(tag)) tags.delete(tag)
  // A kept value is as old as before. If a hard half has changed since, it keeps its own version and so is dead; if only a
  // soft half has, it takes the current version.
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

/** Whether two versions have the same hard half. */
function isSameTag(a: string, b: string): boolean {
  return a.slice(0, 16) === b.slice(0, 16)
}

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
  // A copy, since the caller may change its array while the call runs.
  return tags.length > 1 ? [...new Set(tags)] : [...tags]
}
