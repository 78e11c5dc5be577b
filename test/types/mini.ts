import type { Schema } from 'hither'
import { getOrSetMany, invalidateTags, touch, wrap } from 'hither/functions'
import { memoryStore } from 'hither/memory'
import { createCache, type HasEntries, type MiniCache, tags, values } from 'hither/mini'
import { plain } from 'hither/plain'
import { typed } from './support.ts'

// Calls that a small cache cannot carry out do not compile.

const store = memoryStore()
const cache = createCache({ store, ttl: '1m' })
const tagged = createCache({ store, ttl: '1m', tags: tags(), codec: values() })
const asJson = createCache({ store, ttl: '1m', format: plain() })

void tagged.set('k', 1, { tags: ['t'] })
void tagged.get('k', { tags: ['t'] })
void tagged.getMany(['k'], { tags: ['t'] })
void tagged.getOrSet('k', () => 1, { tags: ['t'], grace: '1h' })
void invalidateTags(tagged, ['t'])
void tagged.namespace('n').set('k', 1, { tags: ['t'] })
void tagged.with({}).set('k', 1, { tags: ['t'] })

// @ts-expect-error no tags without tags()
void cache.set('k', 1, { tags: ['t'] })
// @ts-expect-error no tags without tags()
void cache.get('k', { tags: ['t'] })
// @ts-expect-error no tags without tags()
void cache.getMany(['k'], { tags: ['t'] })
// @ts-expect-error no tags without tags()
void cache.getOrSet('k', () => 1, { tags: ['t'] })
// @ts-expect-error no tags without tags()
void invalidateTags(cache, ['t'])
// @ts-expect-error nor in a namespace of the cache
void cache.namespace('n').set('k', 1, { tags: ['t'] })
// @ts-expect-error nor through with()
void cache.with({}).set('k', 1, { tags: ['t'] })
void cache.getOrSet('k', () => 1, { grace: '1h' })

typed<MiniCache<'mutable', HasEntries>>()(cache)

declare const schema: Schema<{ at: Date }>
typed<Promise<{ at: Date }>>()(cache.getOrSet('k', (): unknown => 1, { schema }))
typed<Promise<{ at: Date }>>()(tagged.getOrSet('k', () => ({ at: '' }), { schema }))
typed<Promise<{ at: Date }>>()(asJson.getOrSet('k', () => ({ at: '' }), { schema }))
typed<Promise<{ at: Date }>>()(wrap(cache, () => ({ at: '' }), { name: 'w', schema })())
typed<Promise<Map<string, { at: Date }>>>()(getOrSetMany(cache, ['k'], () => ({ k: 1 }), { schema }))

void touch(tagged, 'k', { ttl: '5m', grace: '1h' })
// @ts-expect-error an entry keeps its tags
void touch(tagged, 'k', { tags: ['t'] })

// @ts-expect-error no grace in the plain format
void asJson.getOrSet('k', () => 1, { grace: '1h' })
// @ts-expect-error nor tags in the plain format
void asJson.set('k', 1, { tags: ['t'] })

// @ts-expect-error a cache without tags is not assignable to one with tags
const more: typeof tagged = cache
const less: MiniCache = tagged
void [more, less]
