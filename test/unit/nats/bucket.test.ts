import { describe, expect, it } from 'vitest'
import { openBucket } from '../../../adapters/nats/bucket.ts'
import { checkOptions } from '../../../adapters/nats/options.ts'

const limits = { deadline: Date.now() + 60_000, signal: undefined }
const sure = { allow_direct: true, allow_msg_ttl: true, max_msgs_per_subject: 1, allow_rollup_hdrs: true }

interface Asked {
  readonly subject: string
  readonly payload: string
  readonly headers?: ReadonlyMap<string, string>
}

/** A bucket with these settings, and the replies to what is asked of it. */
async function opened(config: object, ...replies: object[]) {
  const asked: Asked[] = []
  let gone = 0
  const all = [{ config }, ...replies]
  const requests = {
    async ask(question: Asked) {
      asked.push(question)
      return { json: () => all.shift() ?? {} }
    },
    gone: () => void gone++,
  }
  const connection = { info: { version: '2.15.0' } }
  const parts = { connection, requests, headers: () => new Map() } as never
  const bucket = await openBucket(checkOptions({ servers: 'nats://127.0.0.1', bucket: 'b' }), parts, limits)
  return { bucket, asked, gone: () => gone, last: () => asked.at(-1) as Asked }
}
const full = { error: { err_code: 10_077, code: 503, description: 'maximum bytes exceeded' } }

describe('a bucket that another program made', () => {
  it('with a history keeps one value of a key, so that none returns', async () => {
    const { bucket, last } = await opened({ ...sure, max_msgs_per_subject: 5 })
    await bucket.write('k', 'v', {}, limits)
    expect(last().headers?.get('Nats-Rollup')).toBe('sub')
    const other = await opened(sure)
    await other.bucket.write('k', 'v', {}, limits)
    expect(other.last().headers).toBeUndefined()
  })
  it('with a history that cannot be cut is refused', async () => {
    const refused = opened({ ...sure, max_msgs_per_subject: -1, allow_rollup_hdrs: false })
    await expect(refused).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('max_msgs_per_subject: 1'),
    })
  })
  it('as a mirror of another is refused', async () => {
    await expect(opened({ ...sure, mirror: { name: 'KV_a' } })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })
  it('without lifetimes is asked for its settings again', async () => {
    const { bucket, gone } = await opened({ ...sure, allow_msg_ttl: false })
    const write = bucket.write('k', 'v', { endMs: Date.now() + 1000 }, limits)
    await expect(write).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('set allow_msg_ttl of the stream KV_b'),
    })
    expect(gone()).toBe(1)
  })
  it('without lifetimes, in place of one that had them, likewise', async () => {
    const { bucket, gone } = await opened(sure, { error: { err_code: 10_166, code: 400 } })
    const write = bucket.write('k', 'v', { endMs: Date.now() + 1000 }, limits)
    await expect(write).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect(gone()).toBe(1)
  })
})

describe('a full bucket', () => {
  it('purges a deleted key without a marker, if it is the one that was read', async () => {
    const { bucket, last } = await opened(sure, full, { success: true, purged: 1 })
    expect(await bucket.write('k', undefined, { revision: 7 }, limits)).toBe(true)
    expect(last().subject).toBe('$JS.API.STREAM.PURGE.KV_b')
    expect(JSON.parse(last().payload)).toEqual({ filter: '$KV.b.k', seq: 8 })
  })
  it('says that a key was replaced before it was deleted', async () => {
    const { bucket } = await opened(sure, full, { success: true, purged: 0 })
    expect(await bucket.write('k', undefined, { revision: 7 }, limits)).toBe(false)
  })
  it('is rid of a key whose value had ended before it was written', async () => {
    const { bucket, last } = await opened(sure, full, { success: true, purged: 0 })
    expect(await bucket.write('k', 'v', { endMs: 1 }, limits)).toBe(true)
    expect(JSON.parse(last().payload)).toEqual({ filter: '$KV.b.k' })
  })
  it('refuses a value, and a delete that it refuses to purge', async () => {
    const rejected = { code: 'STORE_REJECTED', message: expect.stringContaining('maximum bytes exceeded') }
    const { bucket, asked } = await opened(sure, full)
    await expect(bucket.write('k', 'v', {}, limits)).rejects.toMatchObject(rejected)
    expect(asked.length).toBe(2)
    const other = await opened(sure, full, { error: { err_code: 10_110, code: 400 } })
    await expect(other.bucket.write('k', undefined, {}, limits)).rejects.toMatchObject(rejected)
  })
})
