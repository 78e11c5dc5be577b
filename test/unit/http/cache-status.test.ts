import { expect, it } from 'vitest'
import { type Story, statusMember } from '../../../src/http/cache-status.ts'
import { parseList } from '../../../src/http/structured.ts'

it.each<[Story, string]>([
  [{ hit: true, ttl: 1.9 }, 'c; hit; ttl=1'],
  [{ hit: true, ttl: -5.1, detail: 'error' }, 'c; hit; ttl=-5; detail=error'],
  [{ fwd: 'uri-miss' }, 'c; fwd=uri-miss'],
  [{ fwd: 'stale', fwdStatus: 304, stored: true }, 'c; fwd=stale; fwd-status=304; stored'],
  [{ fwd: 'uri-miss', collapsed: true }, 'c; fwd=uri-miss; collapsed'],
  [{ fwd: 'uri-miss', collapsed: false }, 'c; fwd=uri-miss; collapsed=?0'],
  // A hit was not forwarded, whatever else the story says.
  [{ hit: true, fwd: 'stale', fwdStatus: 200, stored: true, collapsed: true }, 'c; hit'],
  [{}, 'c'],
])('a member of Cache-Status: %j', (story, expected) => {
  expect(statusMember('c', story)).toBe(expected)
  expect(parseList(`other; hit, ${statusMember('c', story)}`)?.length).toBe(2)
})
