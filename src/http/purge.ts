import { checkNames, invalid } from '../protocol/arguments.ts'
import type { Engine } from './engine.ts'
import { MAX_SEGMENTS, prefixesOf } from './keys.ts'
import { checkTags, fieldTag } from './tags.ts'
import type { PurgeSelection } from './types.ts'
import { invalidateUrl } from './unsafe.ts'

const SELECTORS: readonly (keyof PurgeSelection)[] = ['tags', 'url', 'path', 'prefix']

/** The URLs of a selector. Throws `INVALID_ARGUMENT` for anything but a whole URL or a list of whole URLs. */
function parsed(value: string | readonly string[] = []): URL[] {
  const urls = typeof value === 'string' ? [value] : value
  const isWhole = (url: unknown): boolean => typeof url === 'string' && /^https?:/i.test(url) && URL.canParse(url)
  if (Array.isArray(urls) && urls.every(isWhole)) return urls.map((url) => new URL(url))
  throw invalid('purge takes whole URLs, such as https://example.com/a')
}

/** Drops the responses that a selection names. Checks the whole selection before it drops anything. */
export async function purge(engine: Engine, selection: PurgeSelection): Promise<void> {
  checkNames('purge', selection, SELECTORS)
  const { keys, storage } = engine
  const { tags: named = [], url, path, prefix } = selection ?? {}
  const tags = checkTags(named)
  const urls = parsed(url)
  const paths = parsed(path)
  const prefixes = parsed(prefix)
  if (tags.length + urls.length + paths.length + prefixes.length === 0)
    throw invalid('purge takes tags, url, path or prefix')
  const last = prefixes.map(({ pathname }) => prefixesOf(`${pathname}/`).at(-1) as string)
  for (const { pathname } of prefixes) {
    if (pathname.split('/').filter(Boolean).length > MAX_SEGMENTS) {
      throw invalid(`a prefix has ${MAX_SEGMENTS} segments at most`)
    }
  }
  const versions = await Promise.all([
    ...tags.map((tag) => keys.tag(fieldTag(tag))),
    ...paths.map(({ origin, pathname }) => keys.path(origin, pathname)),
    ...prefixes.map(({ origin }, i) => keys.prefix(origin, last[i] as string)),
  ])
  await Promise.all([
    ...(versions.length > 0 ? [storage.end(versions)] : []),
    ...urls.map(({ href }) => invalidateUrl(engine, href)),
  ])
}
