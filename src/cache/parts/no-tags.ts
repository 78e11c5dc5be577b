import { invalid } from '../options.ts'
import type { TagsPart } from './tags.ts'

const NONE: ReadonlyMap<string, string> = new Map()

/** In place of tags. An entry with tags counts as dead: else this cache could serve what another has invalidated by a tag. */
export const noTags: TagsPart = {
  check(tags) {
    if (!Array.isArray(tags) || tags.length > 0)
      throw invalid('this cache has no tags: create it with { tags: tags() }')
    return tags
  },
  format: () => '',
  parse: () => NONE,
  judge: (block) => (block ? 'dead' : 'valid'),
  withHints: (tags) => tags,
  hasEnded: () => false,
  stamp: () => ({ tags: NONE, isComplete: true }),
}
