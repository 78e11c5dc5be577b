import { HitherError } from 'hither'
import type { Context } from 'hono'

/**
 * Where the address of a client is read. `'socket'`: the other end of the connection, as Node (`@hono/node-server`), Deno and
 * Bun report it. `'cloudflare'`, `'vercel'`: the header that this platform sets itself, whatever the client sent. Right only
 * when nothing but the platform can reach the application. `{ hops: n }`: the n-th entry of `X-Forwarded-For` from the
 * right, for exactly `n` of your own proxies that append to it.
 */
export type AddressSource = 'socket' | 'cloudflare' | 'vercel' | { readonly hops: number }

/** The header that a platform sets on each request. It replaces a header of that name from the client. */
export const HEADERS = { cloudflare: 'cf-connecting-ip', vercel: 'x-real-ip' } as const

/** The value that a runtime passes to a fetch handler beside the request. */
interface Beside {
  readonly server?: unknown
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } }
  readonly remoteAddr?: { readonly hostname?: string }
  requestIP?(request: Request): { readonly address: string } | null
}

/** The client's address, by each request that a cache has made of the client's; see `keepAddress`. */
const knownAddresses: WeakMap<Request, string> = new WeakMap()

/** Bits of the smallest network that a provider gives to an IPv6 subscriber (RFC 6177). */
const DEFAULT_PREFIX = 64

/**
 * The client's address in the form of `addressKey`. Undefined when it is not where `from` says, such as for a request that did
 * not come through the proxies. Reads no header but the one that `from` names. `ipv6Prefix` as in `addressKey`.
 */
export function clientAddress(
  c: Context,
  from: AddressSource = 'socket',
  ipv6Prefix: number = DEFAULT_PREFIX,
): string | undefined {
  if (from === 'socket') return addressKey(socketAddress(c) ?? '', ipv6Prefix)
  if (typeof from === 'string') return addressKey(c.req.header(HEADERS[from]) ?? '', ipv6Prefix)
  const entries = (c.req.header('x-forwarded-for') ?? '').split(',')
  return addressKey(entries.at(-from.hops) ?? '', ipv6Prefix)
}

/** Throws `INVALID_ARGUMENT` for what is no prefix length. */
export function checkPrefix(bits: number): number {
  if (Number.isSafeInteger(bits) && bits >= 1 && bits <= 128) return bits
  throw new HitherError('INVALID_ARGUMENT', 'ipv6Prefix is a whole number of bits, 1 to 128')
}

/**
 * Reads the client's address now, and returns a function that notes it for a request that is made of the client's. On Bun alone,
 * which knows the address by the client's own request, and only until that has its response.
 */
export function keepAddress(c: Context): (made: Request) => void {
  const address = besideOf(c).requestIP ? socketAddress(c) : undefined
  return (made) => {
    if (address !== undefined) knownAddresses.set(made, address)
  }
}

/** What the runtime passes beside the request: the server itself on Bun, also as a property. */
function besideOf(c: Context): Beside {
  const beside = c.env as Beside | undefined
  return (beside?.server ?? beside ?? {}) as Beside
}

function socketAddress(c: Context): string | undefined {
  const beside = besideOf(c)
  const { incoming, remoteAddr } = beside
  if (incoming) return incoming.socket?.remoteAddress
  if (remoteAddr) return remoteAddr.hostname
  const { raw } = c.req
  return knownAddresses.get(raw) ?? beside.requestIP?.(raw)?.address
}

/**
 * The first six groups of IPv6 addresses whose last two groups are an IPv4 address: mapped (RFC 4291, section 2.5.5.2),
 * translated (RFC 7915, and RFC 2765 before it), and translated within the local-use prefix (RFC 8215).
 */
const MAPPED = new Set(['0,0,0,0,0,65535', '0,0,0,0,65535,0', '100,65435,0,0,0,0', '100,65435,1,0,0,0'])
const OCTET = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const V4 = new RegExp(`^${OCTET}\\.${OCTET}\\.${OCTET}\\.${OCTET}$`)
const BRACKETS = /^\[([^\]]*)\](?::\d{1,5})?$/
const V4_PORT = /^([\d.]+):\d{1,5}$/

/**
 * One form for all spellings of an address. For IPv4: `192.0.2.1`, also when it is mapped into IPv6 (`::ffff:c000:201`) or
 * translated (such as `64:ff9b::c000:201`). For IPv6: the network of `ipv6Prefix` bits (`2001:db8::/64`), since all of it belongs
 * to one subscriber. Brackets, a port and a zone are left out, so all link-local addresses are one network, `fe80::/64`.
 * Undefined for what is no address. Throws `INVALID_ARGUMENT` for a prefix that is not 1 to 128 bits.
 */
export function addressKey(text: string, ipv6Prefix: number = DEFAULT_PREFIX): string | undefined {
  checkPrefix(ipv6Prefix)
  const trimmed = text.trim()
  const bare = BRACKETS.exec(trimmed)?.[1] ?? V4_PORT.exec(trimmed)?.[1] ?? trimmed
  if (V4.test(bare)) return bare
  const groups = groupsOf(bare.replace(/%[^%]+$/, ''))
  if (!groups) return undefined
  const head = groups.slice(0, 6).join()
  if (MAPPED.has(head)) {
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 255])
      .join('.')
  }
  return networkOf(groups, ipv6Prefix)
}

/** The network of `bits` bits that contains an address, without trailing groups of zero. */
function networkOf(groups: readonly number[], bits: number): string {
  const network = groups.map((group, i) => {
    const kept = Math.min(16, Math.max(0, bits - 16 * i))
    return ((group >> (16 - kept)) << (16 - kept)).toString(16)
  })
  while (network.at(-1) === '0') network.pop()
  return `${network.join(':')}${network.length < 8 ? '::' : ''}/${bits}`
}

/** The eight groups of an IPv6 address as RFC 4291, section 2.2, writes it. */
function groupsOf(text: string): number[] | undefined {
  const tail = V4.exec(text.slice(text.lastIndexOf(':') + 1))
    ?.slice(1)
    .map(Number) as [number, number, number, number] | undefined
  const all = tail
    ? text.slice(0, text.lastIndexOf(':') + 1) +
      `${((tail[0] << 8) | tail[1]).toString(16)}:${((tail[2] << 8) | tail[3]).toString(16)}`
    : text
  const halves = all.split('::')
  if (halves.length > 2) return undefined
  const [left = [], right] = halves.map((half) => (half === '' ? [] : half.split(':')))
  if (![...left, ...(right ?? [])].every((group) => /^[\da-f]{1,4}$/i.test(group))) return undefined
  const missing = 8 - left.length - (right?.length ?? 0)
  if (right ? missing < 1 : missing !== 0) return undefined
  const groups = right ? [...left, ...new Array<string>(missing).fill('0'), ...right] : left
  return groups.map((group) => Number.parseInt(group, 16))
}
