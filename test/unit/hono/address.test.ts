import { type AddressSource, addressKey, clientAddress } from 'hither/hono'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { rounds } from '../../support/rounds.ts'

/** A separate generator, so that every run and every runtime sees the same addresses. */
let seed = 1
const random = (n: number): number => {
  seed = (seed * 48_271) % 2_147_483_647
  return seed % n
}
const hex = (n: number): string => n.toString(16)

/** Six spellings of an IPv4 address, as servers and proxies write it. */
function spellings4([a, b, c, d]: readonly [number, number, number, number]): string[] {
  const dotted = `${a}.${b}.${c}.${d}`
  const [high, low] = [hex(a * 256 + b), hex(c * 256 + d)]
  return [
    dotted,
    `::ffff:${dotted}`,
    `::FFFF:${high}:${low}`,
    `0:0:0:0:0:ffff:${dotted}`,
    `${dotted}:${random(65_536)}`,
    ` [::ffff:${high}:${low}]:443`,
  ]
}

/** Six spellings of an IPv6 address with a run of zeros somewhere, each with another host in the same network of 64 bits. */
function spellings6(network: readonly number[]): string[] {
  const host = (): number[] => Array.from({ length: 4 }, () => random(65_536))
  const full = (): number[] => [...network, ...host()]
  const plain = full().map(hex).join(':')
  return [
    plain,
    full().map(hex).join(':').toUpperCase(),
    full()
      .map((group) => hex(group).padStart(4, '0'))
      .join(':'),
    `[${full().map(hex).join(':')}]:${random(65_536)}`,
    `${network.map(hex).join(':')}::${hex(1 + random(65_535))}%eth0`,
    `${[...network, random(65_536), random(65_536)].map(hex).join(':')}:${random(256)}.0.2.${random(256)}`,
  ]
}

describe('one key per address', () => {
  const ADDRESSES = rounds({ quick: 2000, soak: 10_000 })
  it(`of ${ADDRESSES} addresses in six spellings each`, () => {
    const names = new Set<string>()
    const wrong: unknown[] = []
    for (let i = 0; i < ADDRESSES; i++) {
      const four = i % 2 === 0
      const bytes = [1 + ((i >> 8) % 223), i & 255, random(256), random(256)] as const
      const network = [
        0x2001 + random(2),
        i,
        random(4) === 0 ? 0 : random(65_536),
        random(4) === 0 ? 0 : random(65_536),
      ]
      const spelled = four ? spellings4(bytes) : spellings6(network)
      const keys = new Set(spelled.map((text) => addressKey(text) ?? ''))
      const [key = ''] = keys
      const formed = (four ? /^\d+\.\d+\.\d+\.\d+$/ : /^[\da-f:]+::\/64$/).test(key)
      if (keys.size !== 1 || !formed || names.has(key)) wrong.push([spelled, ...keys])
      names.add(key)
    }
    expect(wrong).toEqual([])
    expect(names.size).toBe(ADDRESSES)
  })
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['64:ff9b::192.0.2.1', '192.0.2.1'],
    ['::1', '::/64'],
    ['::', '::/64'],
    ['2001:db8::1', '2001:db8::/64'],
    ['2001:DB8:0:0:ffff::', '2001:db8::/64'],
    ['2001:db8:0:1::', '2001:db8:0:1::/64'],
    ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
    ['fe80::1%eth0', 'fe80::/64'],
    ['::ffff:0:192.0.2.1', '192.0.2.1'],
    ['64:ff9b:1::192.0.2.1', '192.0.2.1'],
  ])('%s is %s', (text, key) => {
    expect(addressKey(text)).toBe(key)
  })
  it.each([
    '',
    ' ',
    'unknown',
    '_hidden',
    'localhost',
    '192.0.2',
    '192.0.2.256',
    '192.0.02.1',
    '0x7f.0.0.1',
    '1.2.3.4.5',
    '192.0.2.1:',
    '192.0.2.1:123456',
    '2001:db8',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '1:2:3:4:5:6:7:8::',
    '::12345',
    '::g',
    ':::',
    '::1:',
    '[::1',
    '::1]',
    '::1.2.3',
    '1.2.3.4::',
    '192.0.2.1, 192.0.2.2',
    '%eth0',
  ])('"%s" is none', (text) => {
    expect(addressKey(text)).toBe(undefined)
  })
})

describe('clientAddress', () => {
  const SPOOFED = {
    'x-forwarded-for': '198.51.100.1, 198.51.100.2',
    'x-real-ip': '198.51.100.3',
    'cf-connecting-ip': '198.51.100.4',
    'true-client-ip': '198.51.100.5',
    'x-client-ip': '198.51.100.6',
    'x-vercel-forwarded-for': '198.51.100.7',
    forwarded: 'for=198.51.100.8',
  }
  const beside = {
    Node: { incoming: { socket: { remoteAddress: '::ffff:192.0.2.1' } } },
    'Node, as @hono/node-server has it under server': {
      server: { incoming: { socket: { remoteAddress: '192.0.2.1' } } },
    },
    Deno: { remoteAddr: { hostname: '192.0.2.1', port: 1, transport: 'tcp' } },
    Bun: {
      address: '192.0.2.1',
      requestIP(this: { address: string }, request: Request) {
        return request instanceof Request ? { address: this.address } : null
      },
    },
  }
  const ask = async (env: object, headers: Record<string, string>, from?: AddressSource): Promise<string> => {
    const app = new Hono().get('/', (c) => c.text(clientAddress(c, from) ?? 'none'))
    return (await app.request('/', { headers }, env)).text()
  }
  it.each(Object.entries(beside))('takes the socket of %s, and no header changes that', async (_, env) => {
    expect(await ask(env, {})).toBe('192.0.2.1')
    expect(await ask(env, SPOOFED)).toBe('192.0.2.1')
  })
  it.each([
    ['2001:db8:aaaa:bbcc:dddd::1', 64, '2001:db8:aaaa:bbcc::/64'],
    ['2001:db8:aaaa:bbcc:dddd::1', 60, '2001:db8:aaaa:bbc0::/60'],
    ['2001:db8:aaaa:bbcc:dddd::1', 56, '2001:db8:aaaa:bb00::/56'],
    ['2001:db8:aaaa:bbcc:dddd::1', 48, '2001:db8:aaaa::/48'],
    ['2001:db8:aaaa:bbcc:dddd::1', 33, '2001:db8:8000::/33'],
    ['2001:db8:aaaa:bbcc:dddd::1', 1, '::/1'],
    ['8001::', 1, '8000::/1'],
    ['2001:db8:aaaa:bbcc:dddd::1', 128, '2001:db8:aaaa:bbcc:dddd:0:0:1/128'],
    ['1:2:3:4:5:6:7:8', 128, '1:2:3:4:5:6:7:8/128'],
    ['1:2:3:4:5:6:7:0', 128, '1:2:3:4:5:6:7::/128'],
    ['1:2:3:4:5:6:7:8', 127, '1:2:3:4:5:6:7:8/127'],
    ['1:2:3:4:5:6:7:9', 127, '1:2:3:4:5:6:7:8/127'],
    ['fe80::1%eth0', 128, 'fe80:0:0:0:0:0:0:1/128'],
    ['192.0.2.1', 48, '192.0.2.1'],
    ['::ffff:192.0.2.1', 56, '192.0.2.1'],
    ['nobody', 56, undefined],
  ])('of %s with a prefix of %d bits is %s', (text, bits, key) => {
    expect(addressKey(text, bits)).toBe(key)
  })
  it('of every address of a network is the same, and of its neighbours another', () => {
    const random = (): string => Math.floor(Math.random() * 0x10000).toString(16)
    for (const [bits, network, neighbour] of [
      [56, '2001:db8:7:ab', '2001:db8:7:ac'],
      [48, '2001:db8:7:', '2001:db8:8:'],
    ] as const) {
      const pad = bits === 56 ? (): string => random().slice(-2).padStart(2, '0') : random
      const of = (start: string): Set<string | undefined> =>
        new Set(
          Array.from({ length: 200 }, () =>
            addressKey(`${start}${pad()}:${random()}:${random()}:${random()}:${random()}`, bits),
          ),
        )
      expect([of(network).size, of(neighbour).size]).toEqual([1, 1])
      expect([...of(network)]).not.toEqual([...of(neighbour)])
    }
  })
  it.each([0, -1, 129, 1.5, Number.NaN, '56'])('takes no prefix of %s bits', (bits) => {
    expect(() => addressKey('::1', bits as number)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
  it('knows none without a socket, whatever headers there are', async () => {
    for (const env of [{}, { incoming: {} }, { incoming: { socket: {} } }, { requestIP: () => null }]) {
      expect(await ask(env, SPOOFED)).toBe('none')
    }
  })
  it('reads the header of the platform that it is told to trust, and no other', async () => {
    expect(await ask(beside.Node, SPOOFED, 'cloudflare')).toBe('198.51.100.4')
    expect(await ask(beside.Node, SPOOFED, 'vercel')).toBe('198.51.100.3')
    const { 'cf-connecting-ip': _, 'x-real-ip': __, ...others } = SPOOFED
    expect(await ask(beside.Node, others, 'cloudflare')).toBe('none')
    expect(await ask(beside.Node, others, 'vercel')).toBe('none')
  })
  it('counts trusted hops from the right: what a client puts before them changes nothing', async () => {
    const via = (list: string, hops: number): Promise<string> => ask({}, { 'x-forwarded-for': list }, { hops })
    expect(await via('203.0.113.9', 1)).toBe('203.0.113.9')
    for (const spoofed of ['10.0.0.1, ', '127.0.0.1,', ',,,', 'unknown, [::1]:5, ']) {
      expect(await via(`${spoofed}203.0.113.9`, 1)).toBe('203.0.113.9')
      expect(await via(`${spoofed}203.0.113.9:4711, 10.1.1.1`, 2)).toBe('203.0.113.9')
    }
    expect(await via('203.0.113.9', 2)).toBe('none')
    expect(await via('203.0.113.9, unknown', 1)).toBe('none')
    expect(await ask({}, {}, { hops: 1 })).toBe('none')
  })
})
