import HashRing from 'hashring'
import { expect, it } from 'vitest'
import { createRing } from '../../adapters/memcached/ring.ts'

it('finds keys where a client that places them by ketama puts them', () => {
  const names = ['10.0.0.1', '10.0.0.2', '10.0.0.3:11311', 'cache.example.com', '127.0.0.1:22122']
  const full = names.map((name) => (name.includes(':') ? name : `${name}:11211`))
  const other = new HashRing(full, 'md5', { 'default port': 11211, compatibility: 'ketama' })
  const ring = createRing(names)
  const keys = Array.from({ length: 20_000 }, (_, i) => `user:${i}:${(i * 7919).toString(36)}`)
  const apart = keys.filter((key) => full[ring.pick(key)] !== other.get(key))
  expect(apart).toEqual([])
})
