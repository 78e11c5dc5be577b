import { describe, expect, it } from 'vitest'
import { nodeRedisStore, nodeRedisTransport } from '../../adapters/node-redis/index.ts'
import type { Call } from '../../src/store/call.ts'
import type { Exclusive } from '../../src/store/transport.ts'

interface Duplicate {
  emit(event: string): void
  readonly options: { readonly socket?: object } | undefined
  isOpen: boolean
  isReady: boolean
}

/** A fake client that is connected. Its duplicates use the same `connect` and `sendCommand`. */
function played(connect: () => Promise<unknown>, sendCommand: () => Promise<unknown> = async () => 'OK') {
  const duplicates: Duplicate[] = []
  const peer = {
    isOpen: true,
    isReady: true,
    options: { disableOfflineQueue: true, socket: { host: 'localhost' } },
    on() {},
    subscribe: async () => {},
    sendCommand,
    withTypeMapping() {},
    connect,
    duplicate(options: Duplicate['options']) {
      const listeners: [string, () => void][] = []
      const made = {
        ...peer,
        options,
        on(event: string, listener: () => void) {
          listeners.push([event, listener])
        },
        emit(event: string) {
          for (const [of, listener] of listeners) if (of === event) listener()
        },
        destroy() {
          made.isOpen = made.isReady = false
          made.emit('end')
        },
      }
      duplicates.push(made)
      return made
    },
  }
  return { peer, duplicates, transport: nodeRedisTransport(peer), store: nodeRedisStore(peer) }
}
const never = (): Promise<never> => new Promise(() => {})

describe('a client of redis 4', () => {
  it('is refused: it has no type mapping, without which no bytes can be read', () => {
    const { peer } = played(async () => {})
    const { withTypeMapping, ...old } = peer
    const refused = { code: 'INVALID_ARGUMENT', message: expect.stringContaining('redis 5 or 6') }
    expect(() => nodeRedisStore(old)).toThrow(expect.objectContaining(refused))
    expect(() => nodeRedisStore(Object.assign(old, { withTypeMapping }))).not.toThrow()
  })
})

describe('a node of a Cluster of node-redis that is down', () => {
  const cluster = {
    isOpen: true,
    masters: [],
    slots: [],
    _options: { defaults: { disableOfflineQueue: true } },
    nodeClient() {},
    withTypeMapping() {},
    duplicate() {},
    sendCommand: async (key: string) => {
      sent.push(key)
      if (key === 'dead') throw new ClientOfflineError()
      if (key === 'slow') await new Promise<void>((resolve) => void slow.push(resolve))
      if (key === 'hangs') await never()
      return 'OK'
    },
  } as unknown as Parameters<typeof nodeRedisStore>[0]
  const sent: string[] = []
  /** Lets the commands that are slow reply. */
  const slow: (() => void)[] = []
  const set = (key: string) => ({ args: ['SET', key, 'v'], effect: 'once' }) as const
  class ClientOfflineError extends Error {}

  it('fails no call on a key of another node', async () => {
    const store = nodeRedisStore(cluster)
    const [dead, other] = await Promise.allSettled([store.set('dead', 'v'), store.set('other', 'v')])
    expect(dead).toMatchObject({ reason: { code: 'STORE_UNAVAILABLE', maybeExecuted: false } })
    expect(other.status).toBe('fulfilled')
  })
  it('leaves it open whether the other commands of a batch have run', async () => {
    const { sendMany } = nodeRedisTransport(cluster)
    await expect(sendMany([set('dead'), set('other')])).rejects.toMatchObject({ maybeExecuted: true })
    await expect(sendMany([set('dead')])).rejects.toMatchObject({ maybeExecuted: false })
  })
  it('changes no error of a batch that was not sent', async () => {
    const shut = nodeRedisTransport({ ...cluster, isOpen: false })
    const closed = { code: 'STORE_UNAVAILABLE', retryable: false, maybeExecuted: false }
    await expect(shut.sendMany([set('a'), set('b')])).rejects.toMatchObject(closed)
    sent.length = 0
    const batch = [set('a'), { args: ['WATCH', 'a'], effect: 'read' }] as const
    const refused = { code: 'UNSUPPORTED', retryable: false, maybeExecuted: false }
    await expect(nodeRedisTransport(cluster).sendMany(batch)).rejects.toMatchObject(refused)
    expect(sent).toEqual([])
  })
  it('is sent nothing after the transport was closed, or the caller has left', async () => {
    const transport = nodeRedisTransport(cluster)
    sent.length = 0
    const errors: unknown[] = []
    const each = (call: Call): void =>
      transport.sendEach(
        [set('a'), set('b')],
        call,
        () => {},
        (at, error) => errors.push(at, error),
      )
    each({ signal: AbortSignal.abort('left') })
    await transport.close()
    each({})
    const closed = expect.objectContaining({ code: 'CLOSED', maybeExecuted: false })
    expect(errors).toEqual([0, 'left', 1, 'left', 0, closed, 1, closed])
    expect(sent).toEqual([])
  })
  it('hands over no reply of a batch that has ended', async () => {
    const { sendMany } = nodeRedisTransport(cluster)
    const replies: unknown[] = []
    const call = { onReply: (reply: unknown, at: number) => replies.push(at, reply) && null }
    await expect(sendMany([set('dead'), set('slow')], call)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    const late = sendMany([set('hangs'), set('slow')], { ...call, deadline: Date.now() + 10 })
    await expect(late).rejects.toMatchObject({ code: 'TIMEOUT' })
    for (const reply of slow) reply()
    await new Promise((resolve) => setTimeout(resolve))
    expect([slow.length, replies]).toEqual([2, []])
    expect(await sendMany([set('a')], call)).toEqual([null])
    expect(replies).toEqual([0, 'OK'])
  })
})

describe('a connection beside the client of node-redis', () => {
  it('is never opened again: EXEC would run without its WATCH', async () => {
    const { transport, duplicates } = played(async () => {})
    await transport.exclusive({})
    expect(duplicates[0]?.options?.socket).toEqual({
      host: 'localhost',
      reconnectStrategy: false,
      signal: expect.any(AbortSignal),
    })
  })
  it('is given up at the deadline, and when the caller leaves', async () => {
    const { transport, duplicates } = played(never)
    const late = transport.exclusive({ deadline: Date.now() + 20 })
    await expect(late).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: false })
    const leaving = new AbortController()
    const left = transport.exclusive({ signal: leaving.signal })
    await expect.poll(() => duplicates.length, { timeout: 10_000 }).toBe(2)
    leaving.abort('left')
    await expect(left).rejects.toBe('left')
    expect(duplicates.map(({ isOpen }) => isOpen)).toEqual([false, false])
    // Only its signal ends the socket of a client that is destroyed while it connects.
    expect(duplicates.map(({ options }) => options?.socket)).toMatchObject([
      { signal: { aborted: true } },
      { signal: { aborted: true } },
    ])
  })
  it('of a subscription is ended while it connects once it has connected, or has failed', async () => {
    const { transport, duplicates } = played(async () => {})
    let gaps = 0
    const begin = async (): Promise<[Duplicate, () => Promise<void>]> => {
      const end = await transport.subscribe(
        'c',
        () => {},
        () => gaps++,
      )
      return [duplicates.at(-1) as Duplicate, end]
    }
    for (const event of ['connect', 'error']) {
      const [made, end] = await begin()
      // No signal: node-redis would give it to the socket of each reconnect, which leaves a listener on it.
      expect(made.options).toBeUndefined()
      made.emit('connect')
      made.isReady = false
      made.emit('reconnecting')
      gaps = 0
      await end()
      expect(made.isOpen).toBe(true)
      made.emit(event)
      expect([made.isOpen, gaps]).toEqual([false, 0])
    }
    // One that has connected, and waits for the server or for its next try.
    for (const event of ['connect', 'error']) {
      const [made, end] = await begin()
      made.isReady = false
      made.emit('reconnecting')
      made.emit(event)
      await end()
      expect(made.isOpen).toBe(false)
    }
  })
  it('a transaction ends at its deadline, and when the caller leaves', async () => {
    const { transport } = played(never, never)
    const command = { args: ['SET', 'k', '1'], effect: 'once' } as const
    const past = transport.transaction([command], { deadline: Date.now() - 1 })
    await expect(past).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: false })
    const late = transport.transaction([command], { deadline: Date.now() + 20 })
    await expect(late).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: true })
    const leaving = new AbortController()
    const left = transport.transaction([command], { signal: leaving.signal })
    leaving.abort('left')
    await expect(left).rejects.toBe('left')
  })
  it('a command of the transport ends at its deadline, and when the caller leaves', async () => {
    const { transport, store } = played(never, never)
    const command = { args: ['GET', 'k'], effect: 'read' } as const
    for (const { send, sendMany } of [transport, store.transport as typeof transport]) {
      for (const go of [(call: Call) => send(command, call), (call: Call) => sendMany([command, command], call)]) {
        await expect(go({ deadline: Date.now() + 20 })).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: true })
        const leaving = new AbortController()
        const left = go({ signal: leaving.signal })
        leaving.abort('left')
        await expect(left).rejects.toBe('left')
      }
    }
  })
  it('that could not be opened has run nothing', async () => {
    const { transport } = played(async () => Promise.reject(new Error('refused')))
    await expect(transport.exclusive({})).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
    await expect(transport.subscribe('c', () => {})).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })
  it('of a subscription that is refused, or that ends, is ended, and the error is one of ours', async () => {
    class ErrorReply extends Error {}
    const refused = new ErrorReply('NOPERM No permissions to access a channel')
    const { peer, transport, duplicates } = played(async () => {})
    peer.subscribe = async () => Promise.reject(refused)
    await expect(transport.subscribe('c', () => {})).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    peer.subscribe = async () => Promise.reject(new Error('Disconnects client'))
    await expect(transport.subscribe('c', () => {})).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retryable: true,
    })
    expect(duplicates.map(({ isOpen }) => isOpen)).toEqual([false, false])
  })
  it('is not asked for while the client is away', async () => {
    const { peer, transport, duplicates } = played(never)
    peer.isReady = false
    const away = { code: 'STORE_UNAVAILABLE', retryable: true, maybeExecuted: false }
    await expect(transport.exclusive({})).rejects.toMatchObject(away)
    await expect(transport.subscribe('c', () => {})).rejects.toMatchObject(away)
    expect(duplicates).toEqual([])
  })
  it('is one of four that are lent in turn, while they last', async () => {
    const { store, duplicates } = played(async () => {})
    const get = { args: ['GET', 'k'], effect: 'read' } as const
    const lend = async () => (await store.transport.exclusive?.({})) as Exclusive
    const lent = await Promise.all([lend(), lend(), lend(), lend()])
    await Promise.all(lent.map((own) => own.send(get)))
    const fifth = lend()
    lent[0]?.release(false)
    expect(await (await fifth).send(get)).toBe('OK')
    expect(duplicates).toHaveLength(4)
    for (const own of [...lent, await fifth]) own.release(false)
    for (const made of duplicates) made.isOpen = made.isReady = false
    await (await lend()).send(get)
    expect(duplicates).toHaveLength(5)
    await store.close()
    expect(duplicates.map(({ isOpen }) => isOpen)).toEqual([false, false, false, false, false])
  })
  it('that could not be opened is lent to nobody', async () => {
    let isUp = false
    const { store } = played(async () => isUp || Promise.reject(new Error('refused')))
    const get = { args: ['GET', 'k'], effect: 'read' } as const
    const first = await store.transport.exclusive?.({})
    await expect(first?.send(get)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
    first?.release(false)
    isUp = true
    const second = await store.transport.exclusive?.({})
    expect(await second?.send(get)).toBe('OK')
    await store.close()
  })
  it('that ends during a command may come back with the client, unless that was closed', async () => {
    const { peer, transport } = played(
      async () => {},
      async () => Promise.reject(new Error('Socket closed unexpectedly')),
    )
    const own = await transport.exclusive({})
    const send = () => own.send({ args: ['GET', 'k'], effect: 'read' })
    await expect(send()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true, maybeExecuted: true })
    peer.isOpen = false
    await expect(send()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: false })
  })
})

describe('a slot of a Cluster of node-redis that moves', () => {
  class ErrorReply extends Error {}
  /** A Cluster of which `answer` plays each node: `old` has the slot by the client's table until the client follows a MOVED. */
  function moving(answer: (node: string, args: readonly string[]) => unknown) {
    const sent: string[] = []
    let owner = 'old:1'
    const at = (node: string) => async (args: readonly string[]) => {
      sent.push(`${node} ${args.join(' ')}`)
      const reply = answer(node, args)
      if (reply instanceof Error) throw reply
      return reply
    }
    const clients = new Map(
      ['old:1', 'new:2'].map((node) => {
        const peer = {
          isOpen: true,
          isReady: true,
          on() {},
          connect: async () => {},
          destroy() {},
          sendCommand: at(node),
          duplicate: () => peer,
        }
        return [node, peer]
      }),
    )
    const cluster = {
      isOpen: true,
      masters: [],
      get slots() {
        return Array.from({ length: 16_384 }, () => ({ master: owner as unknown as object }))
      },
      nodeByAddress: new Map([...clients.keys()].map((node) => [node, node])),
      nodeClient: async (node: string) => clients.get(node),
      _options: { defaults: { disableOfflineQueue: true } },
      withTypeMapping() {},
      duplicate() {},
      async sendCommand(_key: string, _isReadonly: boolean, args: readonly string[]) {
        if (args[0] === 'GET') owner = 'new:2'
        return at('cluster')(args)
      },
    } as unknown as Parameters<typeof nodeRedisStore>[0]
    return { sent, transport: nodeRedisStore(cluster).transport as ReturnType<typeof nodeRedisTransport> }
  }
  const pop = { args: ['BLPOP', 'k', 1], effect: 'once' } as const
  const add = { args: ['INCR', 'k'], effect: 'once' } as const
  const slot = 7629

  it('is followed by a command that waits, after MOVED and after ASK', async () => {
    const moved = moving((node, [name]) =>
      node === 'new:2' ? ['k', 'v'] : name === 'GET' ? null : new ErrorReply(`MOVED ${slot} new:2`),
    )
    expect(await moved.transport.wait?.(pop)).toEqual(['k', 'v'])
    expect(moved.sent).toEqual(['old:1 BLPOP k 1', 'cluster GET k', 'new:2 BLPOP k 1'])
    const asked = moving((node, [name]) =>
      node === 'new:2' ? (name === 'ASKING' ? 'OK' : ['k', 'v']) : new ErrorReply(`ASK ${slot} new:2`),
    )
    expect(await asked.transport.wait?.(pop)).toEqual(['k', 'v'])
    expect(asked.sent.slice(-2)).toEqual(['new:2 ASKING', 'new:2 BLPOP k 1'])
  })
  it('is followed by a transaction, of which nothing has run', async () => {
    const refusals = ['ASK 7629 new:2', 'TRYAGAIN Multiple keys']
    let refused: string | undefined
    const { sent, transport } = moving((_node, [name]) => {
      if (name === 'EXEC') return refused ? new ErrorReply('EXECABORT') : [1]
      if (name !== 'INCR') return 'OK'
      refused = refusals.shift()
      return refused ? new ErrorReply(refused) : 'QUEUED'
    })
    expect(await transport.transaction([add])).toEqual([1])
    const nodes = sent.filter((text) => /INCR|ASKING/.test(text))
    expect(nodes).toEqual(['old:1 INCR k', 'new:2 ASKING', 'new:2 INCR k', 'new:2 INCR k'])
  })
  it('is followed by a command that waits on a key of bytes', async () => {
    let asked: unknown
    const { transport } = moving((node, [name, key]) => {
      if (name === 'GET') asked = key
      return node === 'new:2' ? ['k', 'v'] : name === 'GET' ? null : new ErrorReply(`MOVED ${slot} new:2`)
    })
    await transport.wait?.({ ...pop, args: ['BLPOP', new Uint8Array([1, 200]), 1] })
    expect(asked).toEqual(Buffer.from([1, 200]))
  })
  it('sends no command of a transaction for each key alone', async () => {
    const refusals = ['TRYAGAIN Multiple keys']
    let refused: string | undefined
    const { sent, transport } = moving((_node, [name]) => {
      if (name === 'EXEC') return refused ? new ErrorReply('EXECABORT') : [2]
      if (name !== 'DEL') return 'OK'
      refused = refusals.shift()
      return refused ? new ErrorReply(refused) : 'QUEUED'
    })
    expect(await transport.transaction([{ args: ['DEL', '{k}a', '{k}b'], effect: 'once' }])).toEqual([2])
    expect(sent.filter((text) => text.includes('DEL'))).toEqual(['old:1 DEL {k}a {k}b', 'new:2 DEL {k}a {k}b'])
  })
  it('is not waited for past the limits of the call, where the node does not reply', async () => {
    const left = new AbortController()
    const { transport } = moving((_node, [name]) => {
      if (name !== 'GET') return new ErrorReply(name === 'EXEC' ? 'EXECABORT' : `MOVED ${slot} new:2`)
      left.abort(new Error('the caller has left'))
      return new Promise(() => {})
    })
    await expect(transport.wait?.(pop, { signal: left.signal })).rejects.toThrow('the caller has left')
  })
  it('splits no command over several keys: each key is on one node', async () => {
    const { transport } = moving((_node, [name, key]) =>
      name === 'MGET' ? new ErrorReply('TRYAGAIN Multiple keys') : `value of ${key}`,
    )
    expect(await transport.send({ args: ['MGET', 'a', 'b'], effect: 'read' })).toEqual(['value of a', 'value of b'])
  })
  it('is followed a few times, and no more', async () => {
    const { sent, transport } = moving(() => new ErrorReply(`MOVED ${slot} new:2`))
    expect(await transport.wait?.(pop)).toMatchObject({ word: 'MOVED' })
    expect(sent.filter((text) => text.endsWith('BLPOP k 1'))).toHaveLength(6)
  })
})

describe('a subscription over a Cluster of node-redis', () => {
  it('goes on over a connection to any node, if the first ends, until it is ended', async () => {
    interface Made extends Duplicate {
      say(message: string): void
      destroy(): void
    }
    const opened: Made[] = []
    /** Outcomes of the connections, in order. */
    const connects = [() => {}, () => Promise.reject(new Error('dead')), () => {}]
    const duplicate = (options: Duplicate['options']): Made => {
      const listeners: [string, () => void][] = []
      const made = {
        isOpen: true,
        isReady: true,
        options,
        say: (_message: string) => {},
        on: (event: string, listener: () => void) => void listeners.push([event, listener]),
        emit(event: string) {
          for (const [of, listener] of listeners) if (of === event) listener()
        },
        connect: async () => connects.shift()?.(),
        async subscribe(_channel: string, listener: (message: string) => void) {
          made.say = listener
          opened.push(made)
        },
        destroy() {
          made.isOpen = made.isReady = false
        },
      }
      return made
    }
    const cluster = {
      isOpen: true,
      masters: ['a', 'b'],
      slots: [],
      nodeByAddress: new Map(),
      nodeClient: async () => ({ isReady: true, duplicate }),
      _options: { defaults: { disableOfflineQueue: true } },
      withTypeMapping() {},
      duplicate() {},
      sendCommand() {},
    } as unknown as Parameters<typeof nodeRedisStore>[0]
    const heard: string[] = []
    const transport = nodeRedisTransport(cluster)
    const end = await transport.subscribe(
      'news',
      (message) => heard.push(message),
      () => heard.push('gap'),
    )
    opened[0]?.say('1')
    // An error of a connection that stays open ends nothing.
    opened[0]?.emit('error')
    expect(heard).toEqual(['1'])
    opened[0]?.destroy()
    opened[0]?.emit('error')
    expect(heard).toEqual(['1', 'gap'])
    await expect.poll(() => heard, { timeout: 20_000 }).toEqual(['1', 'gap', 'gap'])
    expect([opened.length, connects.length]).toEqual([2, 0])
    opened[1]?.say('2')
    await end()
    opened[1]?.emit('error')
    expect([opened[1]?.isOpen, heard]).toEqual([false, ['1', 'gap', 'gap', '2']])
  })
})
