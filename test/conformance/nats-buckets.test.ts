import { Kvm } from '@nats-io/kv'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { natsStore } from '../../adapters/nats/index.ts'
import { type Server, startServer } from '../../scripts/servers.ts'
import { runCli } from '../support/run-cli.ts'

describe('a bucket of NATS that another program made', () => {
  let server: Server
  let connection: NatsConnection
  beforeAll(async () => {
    server = await startServer('nats')
    connection = await connect({ servers: server.url })
  })
  afterAll(async () => {
    await connection.close()
    await server.stop()
  })
  const withLifetimes = { markerTTL: 1000 }
  const make = async (bucket: string, settings: object) => {
    await new Kvm(connection).create(bucket, settings)
    return natsStore({ servers: server.url, bucket })
  }
  const past = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))

  it('with a history returns no value that was deleted or replaced', async () => {
    const store = await make('history', { ...withLifetimes, history: 10 })
    await store.set('deleted', 'old')
    await store.set('replaced', 'old')
    expect(await store.delete(['deleted'])).toBe(1)
    await store.set('replaced', 'new', 1000)
    // The server removes delete markers and values that have ended up to two seconds late.
    await past(3500)
    expect(await store.getMany(['deleted', 'replaced'])).toEqual([undefined, undefined])
    await store.close()
  })
  it('as a mirror is refused, because it is empty to its readers and takes no writes', async () => {
    await make('origin', withLifetimes).then((store) => store.close())
    const store = await make('mirror', { mirror: { name: 'origin' } })
    const mirrored = { code: 'UNSUPPORTED', message: expect.stringContaining('name the bucket that it mirrors') }
    await expect(store.ready()).rejects.toMatchObject(mirrored)
    await store.close()
  })
  it.each([
    [{ ttl: 90_000 }, 'the bucket ends each key after 90 s (max_age): a lock may be lost'],
    [{ ttl: 0 }, undefined],
  ])('is examined for what ends keys early: %j', { timeout: 30_000 }, async (settings, costs) => {
    const bucket = `examined-${settings.ttl}`
    await new Kvm(connection).create(bucket, { ...withLifetimes, ...settings })
    const run = runCli(['doctor', `${server.url}/${bucket}`, '--json', '--for', 'cache'])
    expect(await run.ended, run.err()).toBe(0)
    const { checks } = JSON.parse(run.out()) as { checks: { name: string; ok: boolean; costs: string }[] }
    const eviction = { name: 'eviction', ok: !costs, costs: costs ? expect.stringContaining(costs) : '' }
    expect(checks).toContainEqual(eviction)
  })
  it('that drops its oldest keys is examined likewise', { timeout: 30_000 }, async () => {
    const settings = {
      subjects: ['$KV.dropping.>'],
      max_msgs: 1000,
      max_msgs_per_subject: 1,
      discard: 'old',
      allow_msg_ttl: true,
    }
    await connection.request('$JS.API.STREAM.CREATE.KV_dropping', JSON.stringify({ name: 'KV_dropping', ...settings }))
    const run = runCli(['doctor', `${server.url}/dropping`, '--for', 'cache'])
    expect(await run.ended, run.err()).toBe(0)
    expect(run.out()).toContain('the bucket drops its oldest keys when it is full')
  })
  it('in place of one with lifetimes says what it lacks, and its keys can still be deleted', async () => {
    const store = await make('changed', withLifetimes)
    await store.set('k', 'v', 60_000)
    await (await new Kvm(connection).open('changed')).destroy()
    await new Kvm(connection).create('changed', {})
    await expect(store.set('k', 'v', 60_000)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await store.set('k', 'v')
    expect(await store.delete(['k'])).toBe(1)
    await store.close()
  })
})

describe('a full bucket of NATS', () => {
  it('deletes keys where there is no room', async () => {
    const server = await startServer('nats')
    const store = natsStore({ servers: server.url, bucket: 'full', storage: 'memory', maxBytes: 4000 })
    const keys: string[] = []
    const fill = async (): Promise<void> => {
      for (;;) {
        const key = `k${keys.length}`
        await store.set(key, 'v')
        keys.push(key)
      }
    }
    await expect(fill()).rejects.toMatchObject({ code: 'STORE_REJECTED' })
    expect(await store.delete(keys)).toBe(keys.length)
    await store.set('k', 'v', 60_000)
    await store.close()
    await server.stop()
  })
})
