import { describe, expect, it } from 'vitest'
import { HitherError } from '../../src/errors.ts'
import { parseRedisUrl, splitRedisUrls } from '../../src/store/redis-url.ts'

const plain = { host: 'h', port: 6379, path: '', family: 0, db: 0, username: '', password: '', tls: false }
const refusal = (url: string): HitherError => {
  try {
    parseRedisUrl(url)
  } catch (error) {
    expect(error, url).toBeInstanceOf(HitherError)
    expect((error as HitherError).code, url).toBe('INVALID_URL')
    for (const secret of ['s3cret', '12345']) expect((error as Error).message).not.toContain(secret)
    return error as HitherError
  }
  return expect.unreachable(`${url} was taken`)
}

describe('a Redis url', () => {
  it('says host, port, user, database and TLS', () => {
    const read: [string, object][] = [
      ['redis://h', {}],
      ['redis://h/', {}],
      [' valkey://h:7/3 ', { port: 7, db: 3 }],
      ['rediss://h', { tls: true }],
      ['valkeys://h', { tls: true }],
      ['redis://[::1]:7', { host: '::1', port: 7 }],
      ['redis://user:p%40ss@h', { username: 'user', password: 'p@ss' }],
      ['redis://:p@h', { password: 'p' }],
      ['redis://user:@h', { username: 'user' }],
      // A name, not a password, as in ioredis and redis-py.
      ['redis://user@h', { username: 'user' }],
      ['redis://:a,b@h', { password: 'a,b' }],
      ['redis://h?db=3', { db: 3 }],
      ['redis://h/3?db=3', { db: 3 }],
      ['redis://h?family=6', { family: 6 }],
      ['redis://h?tls=true', { tls: true }],
      ['redis://h?tls=false&db=1', { db: 1 }],
      ['rediss://h?tls=true', { tls: true }],
    ]
    for (const [url, said] of read) expect(parseRedisUrl(url), url).toEqual({ ...plain, ...said })
  })
  it('names a Unix socket', () => {
    const socket = { ...plain, host: '', path: '/run/redis.sock' }
    expect(parseRedisUrl('unix:///run/redis.sock')).toEqual(socket)
    expect(parseRedisUrl('unix:/run/redis.sock?db=2')).toEqual({ ...socket, db: 2 })
    expect(parseRedisUrl('unix://user:p%2Fq@/run/redis.sock')).toEqual({ ...socket, username: 'user', password: 'p/q' })
    for (const bad of ['unix:', 'unix://', 'unix://h', 'unix:///s?tls=true', 'unix:///s?password=s3cret']) refusal(bad)
  })
  it('refuses by name what it would have to ignore', () => {
    for (const name of ['password', 'ssl', 'socket_timeout', 'connectTimeout', 'keyPrefix', 'protocol', 'tlsCa']) {
      expect(refusal(`redis://h?${name}=s3cret`).message).toContain(name)
    }
    for (const what of ['db=x', 'db=1.5', 'db=', 'db=-1', 'db=1&db=2', 'family=5', 'tls=yes', 'tls'])
      refusal(`redis://h?${what}`)
    expect(refusal('redis://h/1?db=2').message).toContain('two databases')
    refusal('rediss://h?tls=false')
    for (const name of ['constructor', '__proto__', 'toString']) refusal(`redis://h?${name}=1`)
  })
  it('dials no other host where # or ? stand bare in a password', () => {
    expect(refusal('redis://u:12345#x@h').message).toContain('%23')
    expect(refusal('redis://u:12345?s3cret@h').message).toContain('%3F')
    expect(refusal('redis://u:12345?s3cret=x@h').message).toContain('%3F')
    for (const url of [
      'redis://u:s3cret#x@h',
      'redis://u:s3cret?x@h',
      'redis://u:12345/x@h',
      'redis://h#x',
      'redis://h,g',
    ]) {
      refusal(url)
    }
    for (const none of [undefined, null, 7, {}]) refusal(none as unknown as string)
  })
  it('is one of a list at a comma before the next scheme', () => {
    expect(splitRedisUrls('redis://:a,b@h,redis://g, rediss://f')).toEqual([
      'redis://:a,b@h',
      'redis://g',
      ' rediss://f',
    ])
    expect(splitRedisUrls('redis://:a,b@h')).toEqual(['redis://:a,b@h'])
  })
})
