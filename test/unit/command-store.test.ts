import { describe, expect, it, vi } from 'vitest'
import { HitherError, StoreRejectedError } from '../../src/errors.ts'
import { type CommandStoreOptions, createCommandStore } from '../../src/store/command-store.ts'
import { foreign } from '../../src/store/foreign-error.ts'
import { joinScripts } from '../../src/store/join-scripts.ts'
import { KEY_LOCKING_PRELUDE } from '../../src/store/script-flags.ts'
import type { AtomicStore, Call, StoreEvent } from '../../src/store/store.ts'
import { type Command, ReplyError, type Wire } from '../../src/store/transport.ts'
import { testCounter, testTake } from '../../src/testing/index.ts'

// The part that all stores over commands share: one request for the calls of a tick, resends by effect, scripts by digest,
// deadlines and aborts, replies of the wrong kind, and operations that are joined.

type Answer = (commands: readonly Command[], call: Call | undefined, nth: number) => Wire[] | Promise<Wire[]>

const traits = {
  shared: true,
  ttlStepMs: 1,
  maxKeyBytes: 1024,
  maxValueBytes: 8_388_608,
  clock: 'server',
  consistency: 'strong',
} as const

const plainAnswer: Answer = (commands) =>
  commands.map(({ args }) => (args[0] === 'MGET' ? args.slice(1).map(() => 'v') : args[0] === 'GET' ? 'v' : 1))

/** A store over a transport that records each request and replies what `answer` returns: for faults no server makes on demand. */
function scripted(answer: Answer = plainAnswer, options: Partial<CommandStoreOptions> = {}) {
  const requests: (readonly Command[])[] = []
  const events: StoreEvent[] = []
  const send = async (commands: readonly Command[], call?: Call): Promise<Wire[]> => {
    requests.push(commands)
    return answer(commands, call, requests.length)
  }
  const store = createCommandStore({
    name: 'scripted',
    traits,
    transport: {
      send: async (command, call) => (await send([command], call))[0] as Wire,
      sendMany: send,
      transaction: send,
      close: async () => {},
    },
    onEvent: (event) => events.push(event),
    ...options,
  })
  const verbs = () => requests.map((commands) => commands.map(({ args }) => args[0]).join(' '))
  return { store, requests, events, verbs }
}

const lost = (): never => {
  throw new HitherError('STORE_UNAVAILABLE', 'the reply was lost', { retryable: true, maybeExecuted: true })
}
const refused = (): never => {
  throw new HitherError('STORE_UNAVAILABLE', 'nothing was sent', { retryable: true })
}
const never = (): Promise<Wire[]> => new Promise(() => {})
const failure = (call: Promise<unknown>): Promise<HitherError> =>
  call.then(
    () => expect.unreachable('the call resolved'),
    (error) => error,
  )

describe('a tick', () => {
  it('makes one request of calls made together, neighbouring reads one MGET', async () => {
    const { store, requests, verbs } = scripted()
    await Promise.all([store.get('a'), store.get('b'), store.set('a', 'x'), store.getMany(['a', 'c']), store.get('d')])
    expect(verbs()).toEqual(['MGET SET MGET'])
    expect(requests[0]?.map(({ args }) => args)).toEqual([
      ['MGET', 'a', 'b'],
      ['SET', 'a', 'x'],
      ['MGET', 'a', 'c', 'd'],
    ])
  })
  it('makes one HMGET of HGETs that follow one another on one hash', async () => {
    const answer: Answer = (commands) =>
      commands.map(({ args }) =>
        args[0] === 'HMGET' ? args.slice(2).map((field) => (field === 'none' ? null : `${field}!`)) : `${args[2]}!`,
      )
    const { store, requests } = scripted(answer)
    const get = (key: string, field: string) => store.command([key], ['HGET', key, field], 'read')
    const replies = await Promise.all([
      get('h', 'a'),
      get('h', 'none'),
      get('h', 'a'),
      store.command(['h'], ['HSET', 'h', 'a', '2'], 'once'),
      get('h', 'a'),
      get('i', 'a'),
    ])
    expect(replies).toEqual(['a!', null, 'a!', 'a!', 'a!', 'a!'])
    expect(requests.flat().map(({ args }) => args.join(' '))).toEqual([
      'HMGET h a none a',
      'HSET h a 2',
      'HGET h a',
      'HGET i a',
    ])
  })
  it('rejects each HGET of a key that is no hash, and sends none together that is malformed', async () => {
    const wrong = new ReplyError('WRONGTYPE Operation against a key')
    const { store, verbs } = scripted((commands) => commands.map(() => wrong))
    const get = (...args: string[]) => store.command(['h'], ['HGET', ...args], 'read').catch((error) => error)
    const all = await Promise.all([get('h', 'a'), get('h', 'b'), get('h'), get('h', 'c')])
    for (const error of all) expect(error).toBeInstanceOf(StoreRejectedError)
    expect(verbs()).toEqual(['HMGET HGET HGET'])
  })
  it('keeps keys of different slots out of one MGET', async () => {
    const { store, requests } = scripted(plainAnswer, { slotOf: (key) => key.length % 2 })
    await store.getMany(['a', 'bb', 'c', 'dd'])
    expect(requests[0]?.map(({ args }) => args)).toEqual([
      ['MGET', 'a', 'c'],
      ['MGET', 'bb', 'dd'],
    ])
  })
  it('gives each key a command of its own once keys were refused together', async () => {
    const cluster: Answer = (commands) =>
      commands.map(({ args }) =>
        args[0] === 'MGET' || (args[0] === 'UNLINK' && args[2] !== undefined)
          ? new ReplyError("CROSSSLOT Keys in request don't hash to the same slot")
          : args[0] === 'GET'
            ? `of ${args[1]}`
            : 1,
      )
    for (const ordered of [true, false]) {
      const { store, verbs } = scripted(cluster, { ordered })
      expect(await store.getMany(['a', 'b'])).toEqual(['of a', 'of b'])
      expect(await store.getMany(['a', 'b'])).toEqual(['of a', 'of b'])
      expect(await store.delete(['a', 'b'])).toBe(2)
      expect(verbs()).toEqual(['MGET', 'GET GET', 'GET GET', 'UNLINK UNLINK'])
      const other = scripted(cluster, { ordered })
      expect(await other.store.delete(['a', 'b', 'c'])).toBe(3)
      expect(await other.store.getMany(['a', 'b'])).toEqual(['of a', 'of b'])
      expect(other.verbs()).toEqual(['UNLINK', 'UNLINK UNLINK UNLINK', 'GET GET'])
    }
  })
  it('sends reads again alone where the user may not read one of their keys, but not HGETs of one key', async () => {
    const denied = new ReplyError('NOPERM No permissions to access a key')
    const { store, verbs } = scripted((commands) =>
      commands.map(({ args }) => (args.includes('other') ? denied : args[0] === 'MGET' ? ['v', 'v'] : 'v')),
    )
    const reads = await Promise.allSettled([store.get('a'), store.get('other'), store.get('b')])
    expect(reads).toMatchObject([{ value: 'v' }, { reason: { code: 'UNAUTHORIZED' } }, { value: 'v' }])
    expect(await Promise.all([store.get('a'), store.get('b')])).toEqual(['v', 'v'])
    const fields = ['x', 'y'].map((field) => store.command(['other'], ['HGET', 'other', field], 'read'))
    expect(await Promise.allSettled(fields)).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }])
    expect(verbs()).toEqual(['MGET', 'GET GET GET', 'MGET', 'HMGET'])
  })
  it('sends each key by itself over a transport that says it is a Cluster', async () => {
    const { store, verbs } = scripted(plainAnswer, { ordered: true })
    ;(store.transport as { cluster?: boolean }).cluster = true
    await store.getMany(['a', 'b'])
    await store.delete(['a', 'b'])
    // The script is sent in full, not by its digest: another key may be on a node that has not seen it.
    await store.run(testCounter, 'a', [1, 0])
    expect(verbs()).toEqual(['GET GET', 'UNLINK UNLINK', 'EVAL'])
    const take = (key: string) => store.run(testCounter, key, [1, 0])
    await expect.poll(() => take('a').then(() => verbs().at(-1))).toBe('EVALSHA')
    await Promise.all([take('a'), take('a'), take('b'), take('b')])
    expect(verbs().at(-1)).toBe('EVAL EVALSHA EVAL EVALSHA')
  })
  it('says that reads are answered apart where keys have nodes of their own', async () => {
    expect(scripted().store.traits.readsApart).toBe(false)
    expect(scripted(plainAnswer, { traits: { ...traits, readsApart: true } }).store.traits.readsApart).toBe(true)
    expect(scripted(plainAnswer, { slotOf: () => 0 }).store.traits.readsApart).toBe(true)
    const refusing: Answer = (commands) =>
      commands.map(({ args }) => (args[0] === 'MGET' ? new ReplyError('CROSSSLOT Keys') : 'v'))
    const { store } = scripted(refusing)
    await store.getMany(['a', 'b'])
    expect(store.traits.readsApart).toBe(true)
  })
  it('splits at 1,000 commands and at 1 MB', async () => {
    const many = scripted()
    await Promise.all(Array.from({ length: 2500 }, (_, i) => many.store.set(`k${i}`, 'x')))
    expect(many.requests.map((commands) => commands.length)).toEqual([1000, 1000, 500])
    const large = scripted()
    await Promise.all(Array.from({ length: 40 }, (_, i) => large.store.set(`k${i}`, 'x'.repeat(60_000))))
    expect(large.requests.map((commands) => commands.length)).toEqual([16, 16, 8])
  })
  it('sends an item over 64 KB, one for bytes, and one with far less time alone', async () => {
    const { store, verbs } = scripted((commands, call) => (call?.bytes ? [null] : plainAnswer(commands, call, 0)), {
      timeoutMs: 5000,
    })
    await Promise.all([
      store.set('a', '1'),
      store.set('b', 'x'.repeat(70_000)),
      store.getBytes?.('c'),
      store.set('d', '1', undefined, { deadline: Date.now() + 1000 }),
      store.set('e', '1'),
    ])
    expect(verbs().sort()).toEqual(['GET', 'SET', 'SET', 'SET SET'])
  })
  it('keeps such an item in its place when another call of the tick touches its key', async () => {
    const { store, verbs } = scripted()
    await Promise.all([store.set('b', 'x'.repeat(70_000)), store.get('b')])
    expect(verbs()).toEqual(['SET GET'])
  })
  it('refuses what is too large before it joins', async () => {
    const { store, requests } = scripted(plainAnswer, { traits: { ...traits, maxValueBytes: 4 } })
    const [refusal, kept] = await Promise.all([failure(store.set('a', 'xxxxx')), store.get('b')])
    expect(refusal.code).toBe('VALUE_TOO_LARGE')
    expect(kept).toBe('v')
    expect(requests).toHaveLength(1)
  })
})

describe('resends, by effect', () => {
  it.each([
    ['a read', (store: ReturnType<typeof scripted>['store']) => store.get('k')],
    ['a delete', (store: ReturnType<typeof scripted>['store']) => store.delete(['k'])],
    [
      'an operation marked repeat',
      (store: ReturnType<typeof scripted>['store']) => store.run({ ...testCounter, effect: 'repeat' }, 'k', [1, 0]),
    ],
  ])('%s goes out again after a lost reply', async (_, call) => {
    const { store, requests, events } = scripted((commands, c, nth) =>
      nth < 3 ? lost() : plainAnswer(commands, c, nth),
    )
    await call(store)
    expect(requests).toHaveLength(3)
    expect(events.map((event) => event.type)).toEqual(['resend', 'resend'])
  })
  it.each([
    ['a SET', (store: ReturnType<typeof scripted>['store']) => store.set('k', 'x')],
    ['an operation marked once', (store: ReturnType<typeof scripted>['store']) => store.run(testCounter, 'k', [1, 0])],
  ])('%s does not, and says it may have run', async (_, call) => {
    const { store, requests } = scripted(lost)
    const error = await failure(call(store))
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: true })
    expect(requests).toHaveLength(1)
  })
  it('gives up after six tries, and a read then says it did not run', async () => {
    const { store, requests } = scripted(lost)
    expect(await failure(store.get('k'))).toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
    expect(requests).toHaveLength(6)
  })
  it('names the last failure where the deadline comes while it is sent again', async () => {
    const cause = { code: 'STORE_UNAVAILABLE', message: 'the reply was lost' }
    const first = scripted((_, __, nth) => (nth === 1 ? lost() : never())).store
    const end = failure(first.get('k', { deadline: Date.now() + 300 }))
    expect(await end).toMatchObject({ code: 'TIMEOUT', maybeExecuted: false, cause })
    const late = (): never => {
      throw new HitherError('TIMEOUT', 'the deadline of the call passed', { retryable: true })
    }
    const second = scripted((_, __, nth) => (nth === 1 ? lost() : late())).store
    expect(await failure(second.get('k'))).toMatchObject({ code: 'TIMEOUT', maybeExecuted: false, cause })
    expect((await failure(scripted(late).store.get('k'))).cause).toBeUndefined()
  })
  it('of a batch whose reply was lost, only what may run again', async () => {
    const { store, verbs } = scripted((commands, c, nth) => (nth === 1 ? lost() : plainAnswer(commands, c, nth)))
    const [set, get, del] = await Promise.all([failure(store.set('a', 'x')), store.get('a'), store.delete(['b'])])
    expect(set.maybeExecuted).toBe(true)
    expect([get, del]).toEqual(['v', 1])
    expect(verbs()).toEqual(['SET GET UNLINK', 'GET UNLINK'])
  })
  it('fails at once what was never sent', async () => {
    const { store, requests } = scripted(refused)
    expect(await failure(store.get('k'))).toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
    expect(await failure(store.set('k', 'x'))).toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
    expect(requests).toHaveLength(2)
  })
})

describe('scripts', () => {
  const scriptVerbs: Answer = (commands) => commands.map(({ args }) => (String(args[0]).startsWith('EVAL') ? 1 : 'v'))

  /**
   * Runs an operation until it is sent by its digest, which takes the platform's SHA-1 a moment. Resolves to the number of
   * requests so far.
   */
  const learn = async ({ run }: AtomicStore, verbs: () => string[]): Promise<number> => {
    do {
      await new Promise((resolve) => setTimeout(resolve, 1))
      await run(testCounter, 'k', [1, 0])
    } while (verbs().at(-1) !== 'EVALSHA')
    return verbs().length
  }
  it('go by digest once the endpoint knows them, and whole again after NOSCRIPT', async () => {
    let flushed = false
    const { store, verbs } = scripted((commands) => {
      if (flushed && commands[0]?.args[0] === 'EVALSHA') {
        flushed = false
        return [new ReplyError('NOSCRIPT No matching script.')]
      }
      return [1]
    })
    const sent = await learn(store, verbs)
    expect(verbs()[0]).toBe('EVAL')
    flushed = true
    await store.run(testCounter, 'k', [1, 0])
    expect(verbs().slice(sent)).toEqual(['EVALSHA', 'EVAL'])
  })
  it('go whole when another call on their key follows in the batch', async () => {
    const { store, verbs } = scripted(scriptVerbs)
    const sent = await learn(store, verbs)
    await Promise.all([store.run(testCounter, 'k', [1, 0]), store.get('k'), store.run(testCounter, 'j', [1, 0])])
    expect(verbs()[sent]).toBe('EVAL GET EVALSHA')
  })
  it('go whole once for all calls of a batch, also on one key', async () => {
    const { store, verbs } = scripted(scriptVerbs)
    const sent = await learn(store, verbs)
    await Promise.all(Array.from({ length: 4 }, (_, i) => store.run(testCounter, i < 3 ? 'k' : 'j', [1, 0])))
    expect(verbs()[sent]).toBe('EVAL EVALSHA EVALSHA EVALSHA')
  })
  it('go whole once in each slot of a cluster', async () => {
    const { store, verbs } = scripted(scriptVerbs, { slotOf: (key) => key.charCodeAt(0) })
    const sent = await learn(store, verbs)
    await Promise.all(['k', 'k', 'j', 'j'].map((key) => store.run(testCounter, key, [1, 0])))
    expect(verbs()[sent]).toBe('EVAL EVALSHA EVAL EVALSHA')
  })
  it('lose their prelude at an endpoint that does not know its flag', async () => {
    const { store, requests } = scripted(
      (commands) =>
        commands.map(({ args }) =>
          String(args[1]).startsWith('#!') ? new ReplyError('ERR Unexpected flag in script shebang: x') : 1,
        ),
      { prelude: KEY_LOCKING_PRELUDE },
    )
    expect(await store.run(testCounter, 'k', [1, 0])).toBe(1)
    expect(requests.map(([command]) => String(command?.args[1]).startsWith('#!'))).toEqual([true, false])
    await store.run(testTake, 'k', [])
    expect(requests).toHaveLength(3)
  })
  it('ask about the flag first where a refusal in the batch would come too late', async () => {
    const { store, verbs } = scripted(
      (commands) =>
        commands.map(({ args }) =>
          String(args[1]).startsWith('#!') ? new ReplyError('ERR Unexpected flag in script shebang: x') : 1,
        ),
      { prelude: KEY_LOCKING_PRELUDE },
    )
    await Promise.all([store.run(testCounter, 'k', [1, 0]), store.get('k')])
    expect(verbs()).toEqual(['EVAL', 'EVAL GET'])
  })
  it('say UNAUTHORIZED for a key that is refused, and for what a script may not call', async () => {
    for (const message of [
      'NOPERM No permissions to access a key',
      'NOPERM this user has no permissions to access one of the keys used as arguments',
      "NOPERM ACL failure in script: User app has no permissions to run the 'set' command",
      "ERR ACL failure in script: User app has no permissions to run the 'set' command script: on @user_script:1.",
      "ERR The user executing the script can't run this command or subcommand script: 00, on @user_script:1.",
    ]) {
      const { store } = scripted(() => [new ReplyError(message)])
      expect(await failure(store.run(testCounter, 'k', [1, 0])), message).toMatchObject({ code: 'UNAUTHORIZED' })
    }
    for (const message of [
      "NOPERM User app has no permissions to run the 'eval' command",
      "NOPERM this user has no permissions to run the 'evalsha' command or its subcommand",
      "ERR unknown command 'EVAL', with args beginning with:",
    ]) {
      const { store } = scripted(() => [new ReplyError(message)])
      expect(await failure(store.run(testCounter, 'k', [1, 0])), message).toMatchObject({ code: 'UNSUPPORTED' })
    }
  })
  it('say STORE_UNAVAILABLE, worth another try, for a server that loads and a Cluster that lacks a node', async () => {
    for (const message of ['LOADING Redis is loading the dataset in memory', 'CLUSTERDOWN The cluster is down']) {
      const { store } = scripted(() => [new ReplyError(message)])
      const down = { code: 'STORE_UNAVAILABLE', retryable: true, maybeExecuted: false, reply: message.split(' ')[0] }
      expect(await failure(store.set('k', 'v'))).toMatchObject(down)
      expect(await failure(store.run(testCounter, 'k', [1, 0]))).toMatchObject(down)
    }
    for (const message of ['READONLY no', 'CLUSTERDOWN The cluster is down and only accepts read commands']) {
      const { store } = scripted(() => [new ReplyError(message)])
      const refused = { code: 'STORE_REJECTED', retryable: false, reply: message.split(' ')[0] }
      expect(await failure(store.set('k', 'v'))).toMatchObject(refused)
    }
  })
  it('keep the first words of a refusal, and none of its arguments', async () => {
    const texts: [string, string][] = [
      [
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable",
        'MISCONF Redis is configured to save RDB snapshots',
      ],
      ["OOM command not allowed when used memory > 'maxmemory'.", 'OOM command not allowed when used memory'],
      ['READONLY', 'READONLY'],
      ['NOSUCH User s3cret has none', 'NOSUCH'],
      ['ERR unknown option s3cret', 'ERR unknown'],
      ["ERR unknown command 'SETT', with args beginning with: 's3cret'", 'ERR unknown command'],
      ['ERR max daily request limit exceeded. Limit: 10000', 'ERR max daily request limit exceeded'],
      ['ERR user_script:1: s3cret', 'ERR'],
      ['ERR s3cret:key is busy', 'ERR'],
      ['ERR one two three four five six seven eight s3cret', 'ERR one two three four five six seven eight'],
      ['NOPERM No permissions to access a key', 'NOPERM No permissions to access a key'],
      [
        'NOPERM this user has no permissions to access one of the keys used as arguments',
        'NOPERM this user has no permissions to access one',
      ],
      ["NOPERM User s3cret has no permissions to run the 'get' command", 'NOPERM'],
      ['ERR no such key s3cret', 'ERR no such'],
      ['', 'ERR'],
    ]
    for (const [text, said] of texts) {
      const { store } = scripted(() => [new ReplyError(text)])
      const error = await failure(store.set('k', 'v'))
      expect(error.message).toBe(`SET was rejected: ${said}`)
      expect(error).toMatchObject({ reply: said.split(' ')[0], command: 'SET' })
    }
  })
  it('say UNSUPPORTED where the server runs none', async () => {
    const { store } = scripted(() => [new ReplyError("ERR unknown command 'EVAL'")])
    expect(await failure(store.run(testCounter, 'k', [1, 0]))).toMatchObject({ code: 'UNSUPPORTED' })
  })
  it.each([
    ["NOPERM User joe has no permissions to run the 'eval' command", 'UNSUPPORTED'],
    ["NOPERM this user has no permissions to run the 'evalsha' command or its subcommand", 'UNSUPPORTED'],
    ['NOPERM No permissions to access a key', 'UNAUTHORIZED'],
    ['NOPERM this user has no permissions to access one of the keys used as arguments', 'UNAUTHORIZED'],
    ["NOPERM User joe has no permissions to run the 'zadd' command script: f_1, on @user_script:2.", 'UNAUTHORIZED'],
  ])('tell a refused command from a refused key: %s', async (message, code) => {
    const { store } = scripted((commands) => commands.map(() => new ReplyError(message)))
    expect(await failure(store.run(testCounter, 'k', [1, 0]))).toMatchObject({ code })
    expect(await failure(store.ready())).toMatchObject({ code })
  })
})

describe('deadlines, aborts and odd replies', () => {
  it('a write without an answer says it may have run, a read that it did not', async () => {
    const { store } = scripted(never)
    const deadline = Date.now() + 30
    const [set, get] = await Promise.all([
      failure(store.set('k', 'x', undefined, { deadline })),
      failure(store.get('k', { deadline })),
    ])
    expect([set.code, set.maybeExecuted, get.code, get.maybeExecuted]).toEqual(['TIMEOUT', true, 'TIMEOUT', false])
  })
  it('each call of a batch ends by its own deadline', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    try {
      const { store } = scripted(never)
      const order: string[] = []
      const at = Date.now()
      const ended = Promise.all(
        [90, 30, 60].map((ms) =>
          failure(store.get(`k${ms}`, { deadline: at + ms })).then(() => {
            order.push(`${ms}`)
          }),
        ),
      )
      await vi.advanceTimersByTimeAsync(45)
      expect(order).toEqual(['30'])
      await vi.advanceTimersByTimeAsync(100)
      await ended
      expect(order).toEqual(['30', '60', '90'])
    } finally {
      vi.useRealTimers()
    }
  })
  it('leaves no listener on a shared signal', async () => {
    let held = 0
    const controller = new AbortController()
    const signal = new Proxy(controller.signal, {
      get(target, name) {
        if (name === 'addEventListener') return () => held++
        if (name === 'removeEventListener') return () => held--
        return Reflect.get(target, name, target)
      },
    })
    const { store } = scripted()
    await Promise.all(Array.from({ length: 1000 }, (_, i) => store.get(`k${i}`, { signal })))
    expect(held).toBe(0)
  })
  it('closing settles what is under way', async () => {
    const { store } = scripted(never)
    const calls = [failure(store.get('k')), failure(store.set('k', 'x'))]
    await new Promise((resolve) => setTimeout(resolve, 50))
    await store.close()
    const [get, set] = await Promise.all(calls)
    expect([get?.code, get?.maybeExecuted, set?.code, set?.maybeExecuted]).toEqual(['CLOSED', false, 'CLOSED', true])
  })
  it('closing ends a pause before a resend: nothing keeps the process, and nothing is sent', async () => {
    let lostMs = 0
    const { store, requests } = scripted(() => {
      lostMs = performance.now()
      return lost()
    })
    const timers = new Set<unknown>()
    const { setTimeout: set, clearTimeout: clear } = globalThis
    const call = failure(store.get('k'))
    globalThis.setTimeout = ((run: () => void, ms: number) => {
      const id = set(() => {
        timers.delete(id)
        run()
      }, ms)
      timers.add(id)
      return id
    }) as typeof set
    globalThis.clearTimeout = ((id: never) => {
      timers.delete(id)
      clear(id)
    }) as typeof clear
    try {
      for (let i = 0; i < 20 && !lostMs; i++) await Promise.resolve()
      for (let i = 0; i < 20; i++) await Promise.resolve()
      expect(timers.size).toBeGreaterThan(0)
      await store.close()
      expect((await call).code).toBe('CLOSED')
      for (let i = 0; i < 20; i++) await Promise.resolve()
      expect([timers.size, requests.length]).toEqual([0, 1])
    } finally {
      Object.assign(globalThis, { setTimeout: set, clearTimeout: clear })
    }
  })
  it('a call that would not wait for an overloaded endpoint fails alone: the others of its request go out again', async () => {
    const calls: (boolean | undefined)[] = []
    const { store, verbs } = scripted((commands, call, nth) => {
      calls.push(call?.patient)
      if (nth === 1) throw new HitherError('OVERLOADED', 'too many requests', { retryable: true })
      return plainAnswer(commands, call, nth)
    })
    const hurried = failure(store.get('a', { patient: false }))
    const [read, written] = await Promise.all([store.get('b'), store.set('c', 'x')])
    expect([read, written, await hurried]).toMatchObject(['v', undefined, { code: 'OVERLOADED', maybeExecuted: false }])
    expect([verbs(), calls]).toEqual([
      ['MGET SET', 'GET SET'],
      [false, true],
    ])
  })
  it('an overloaded endpoint ends patient calls too, once it was asked for them alone', async () => {
    const { store, verbs } = scripted(() => {
      throw new HitherError('OVERLOADED', 'too many requests', { retryable: true })
    })
    const codes = await Promise.all([store.get('a', { patient: false }), store.set('c', 'x')].map(failure))
    expect(codes.map(({ code, maybeExecuted }) => [code, maybeExecuted])).toEqual([
      ['OVERLOADED', false],
      ['OVERLOADED', false],
    ])
    expect(verbs()).toEqual(['GET SET', 'SET'])
  })
  it('a reply to MGET of the wrong length is BAD_REPLY', async () => {
    const { store } = scripted(() => [['v']])
    expect(await failure(store.getMany(['a', 'b']))).toMatchObject({ code: 'BAD_REPLY' })
  })
  it('an error of another kind is what it is, or what the options make of it', async () => {
    const cause = new TypeError('not a function')
    const fail = (): never => {
      throw cause
    }
    const plain = scripted(fail).store
    expect(await failure(plain.set('a', 'x'))).toBe(cause)
    const { store } = scripted(fail, { toOutage: foreign })
    const outage = { code: 'STORE_UNAVAILABLE', retryable: true, maybeExecuted: true, cause }
    expect(await failure(store.set('a', 'x'))).toMatchObject(outage)
    expect(await failure(Promise.all([store.get('a'), store.set('b', 'x')]))).toMatchObject(outage)
  })
  it('an argument that the store does not take rejects, and throws nothing', async () => {
    const { store, requests } = scripted()
    const operation = { name: 'x', effect: 'once', lua: 'return 1', apply: () => ({ ttl: 'keep', reply: 1 }) } as never
    expect(await failure(store.run(operation, 'k', [0.5]))).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await failure(store.command(['k'], ['GET', undefined as never], 'read'))).toBeInstanceOf(TypeError)
    expect(requests).toEqual([])
  })
  it('an error reply shows its first words, up to where an argument may follow', async () => {
    const { store } = scripted(() => [new ReplyError('OOM command not allowed for key secret-key')])
    const error = await failure(store.set('secret-key', 'secret-value'))
    expect(error).toBeInstanceOf(StoreRejectedError)
    expect(error.message).toBe('SET was rejected: OOM command not allowed')
  })
  it('a foreign type read alone is absent, and an event', async () => {
    const { store, events } = scripted(() => [new ReplyError('WRONGTYPE Operation against a key')])
    expect(await store.get('k')).toBeUndefined()
    expect(events).toEqual([{ type: 'foreign-type', command: 'GET' }])
  })
})

describe('operations that differ in their keys alone', () => {
  const joining = (answer: Answer) => scripted(answer, { ordered: true, joinScripts })
  const keysOf = (requests: readonly (readonly Command[])[]) =>
    requests.map((commands) => commands.map(({ args }) => args.slice(3, 3 + Number(args[2])).join(' ')))
  const counts: Answer = (commands) => commands.map(({ args }) => (args[2] === 1 ? 1 : Array(Number(args[2])).fill(1)))

  it('go as one script, 32 at the most, and each is answered by its part', async () => {
    const { store, requests } = joining((commands) =>
      commands.map(({ args }) => args.slice(3, 3 + Number(args[2])).map((key) => Number(String(key).slice(1)))),
    )
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
    const replies = await Promise.all(keys.map((key) => store.run(testCounter, key, [1, 0])))
    expect(replies).toEqual(keys.map((_, i) => i))
    expect(keysOf(requests)).toEqual([[keys.slice(0, 32).join(' '), keys.slice(32).join(' ')]])
  })
  it('go apart where an argument differs, and where another call comes between', async () => {
    const { store, requests } = joining(counts)
    const take = (key: string, by: number) => store.run(testCounter, key, [by, 0])
    await Promise.all([take('a', 1), take('b', 1), take('c', 2), store.set('d', ''), take('e', 2)])
    expect(keysOf(requests).map((keys) => keys.filter(Boolean))).toEqual([['a b', 'c', 'e']])
  })
  it('are refused by themselves: an error of one key is no other’s, and one that refuses all sends each again', async () => {
    const wrong = joining((commands) => commands.map(() => [1, new ReplyError('WRONGTYPE of b')]))
    const [a, b] = ['a', 'b'].map((key) => wrong.store.run(testCounter, key, [1, 0]))
    expect(await a).toBe(1)
    expect(await failure(b as Promise<number>)).toMatchObject({ code: 'STORE_REJECTED' })
    const denied = joining((commands) =>
      commands.map(({ args }) => (args.includes('b') ? new ReplyError('NOPERM no access to a key') : 1)),
    )
    const [may, mayNot] = ['a', 'b'].map((key) => denied.store.run(testCounter, key, [1, 0]))
    expect(await may).toBe(1)
    expect(await failure(mayNot as Promise<number>)).toMatchObject({ code: 'UNAUTHORIZED' })
    expect(keysOf(denied.requests)).toEqual([['a b'], ['a', 'b']])
  })
})
