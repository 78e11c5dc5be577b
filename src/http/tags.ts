import { HitherError } from '../errors.ts'
import type { Keys } from './keys.ts'
import type { Plan } from './plan.ts'
import { parseList } from './structured.ts'
import type { HttpRule } from './types.ts'

/** Most tags and groups of one response. A response with more is not stored, since it could not be purged by all of them. */
const MAX_TAGS = 64
const MAX_TAG_LENGTH = 512

/** A tag in the form of a field: characters that no field can carry, and commas, are percent-encoded. */
export const fieldTag = (tag: string): string =>
  `${tag}`
    .trim()
    .toWellFormed()
    .replace(/[^ -+\--~]/gu, encodeURIComponent)

/** The groups of a field (RFC 9875); none if it is malformed. */
function groupsOf(text: string | null): string[] {
  return (parseList(text) ?? []).filter((member): member is string => typeof member === 'string')
}

/** The tags of a Cache-Tag field: a list with commas. Tags are compared exactly. */
function tagsOf(text: string | null): string[] {
  return (text ?? '')
    .split(',')
    .map((tag) => tag.trim())
    .filter(Boolean)
}

/** Adds the tags of a response's Cache-Tag field, and `more`, to the fields that caches in front read. */
export function addTags(headers: Headers, more: readonly string[], fields: readonly string[]): void {
  const tags = new Set([...tagsOf(headers.get('cache-tag')), ...more.map(fieldTag)])
  for (const field of fields) {
    const missing = [...tags].filter((tag) => !tagsOf(headers.get(field)).includes(tag))
    if (missing.length > 0) headers.append(field, missing.join(', '))
  }
}

export function ruleTags(rule: HttpRule | undefined, request: Request, response: Response): readonly string[] {
  return typeof rule?.tags === 'function' ? rule.tags(request, response) : (rule?.tags ?? [])
}

/**
 * The keys of the versions under which a response is stored beside those of its place: of its tags and of its groups. A group
 * counts as a tag, and also as a group of its origin. Undefined if the response has too many, or one is too long.
 */
export async function versionKeysOf(
  keys: Keys,
  { place, rule, request }: Pick<Plan, 'place' | 'rule' | 'request'>,
  response: Response,
): Promise<readonly string[] | undefined> {
  const groups = groupsOf(response.headers.get('cache-groups'))
  const named = [...ruleTags(rule, request, response), ...tagsOf(response.headers.get('cache-tag')), ...groups]
  const tags = new Set(named.map(fieldTag))
  if (tags.size > MAX_TAGS || named.some((tag) => tag.length > MAX_TAG_LENGTH)) return undefined
  return Promise.all([...[...tags].map(keys.tag), ...groups.map((group) => keys.group(place.origin, group))])
}

/** The keys of the versions that the response to an unsafe method ends: those of groups of the same origin. */
export function endedGroups(keys: Keys, origin: string, headers: Headers): Promise<string[]> {
  const groups = groupsOf(headers.get('cache-group-invalidation')).slice(0, MAX_TAGS)
  return Promise.all(groups.map((group) => keys.group(origin, group)))
}

/** Throws `INVALID_ARGUMENT` for tags that no response can have. */
export function checkTags(tags: readonly string[]): readonly string[] {
  const isTag = (tag: unknown): boolean => typeof tag === 'string' && tag !== '' && tag.length <= MAX_TAG_LENGTH
  if (Array.isArray(tags) && tags.every(isTag)) return tags
  throw new HitherError('INVALID_ARGUMENT', `tags are a list of strings of 1 to ${MAX_TAG_LENGTH} characters`)
}
