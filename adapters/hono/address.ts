import { HitherError } from 'hither'
import type { Context } from 'hono'

/**
 * Where the address of a client is read. `'socket'`: the connection's other end, as Node (`@hono/node-server`), Deno and
 * Bun tell it. `'cloudflare'`, `'vercel'`: the header that this platform sets itself, whatever the client sent; right only
 * where nothing but the platform can reach the application. `{ hops: n }`: the n-th entry of `X-Forwarded-For` from the
 * right, where exactly `n` proxies of your own append to it.
 */
export type AddressSource = 'socket' | 'cloudflare' | 'vercel' | { readonly hops: number }

/** What a platform sets on each request. A client's own header of that name does not get through. */
export const HEADERS = { cloudflare: 'cf-connecting-ip', vercel: 'x-real-ip' } as const

/** What runtimes give a fetch handler beside the request. */
interface Beside {
  readonly server?: unknown
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } }
  readonly remoteAddr?: { readonly hostname?: string }
  requestIP?(request: Request): { readonly address: string } | null
}

/** Bits of a network that one subscriber of IPv6 holds at the least (RFC 6177). */
const DEFAULT_PREFIX = 64

/**
 * The client's address in the one form of `addressKey`; undefined where `from` does not tell it, such as a request that
 * came past the proxies. No header is read but the one that `from` names. `ipv6Prefix` as of `addressKey`.
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

/** Throws `INVALID_ARGUMENT` for what is no length of a network. */
export function checkPrefix(bits: number): number {
  if (Number.isSafeInteger(bits) && bits >= 1 && bits <= 128) return bits
  throw new HitherError('INVALID_ARGUMENT', 'ipv6Prefix is a whole number of bits, 1 to 128')
}

function socketAddress(c: Context): string | undefined {
  const beside = c.env as Beside | undefined
  const { incoming, remoteAddr, requestIP } = (beside?.server ?? beside ?? {}) as Beside
  if (incoming) return incoming.socket?.remoteAddress
  if (remoteAddr) return remoteAddr.hostname
  // A method of the server, which needs its `this`.
  return requestIP?.call(beside?.server ?? beside, c.req.raw)?.address
}

/**
 * The first six groups of what holds an IPv4 address in its last two: mapped (RFC 4291, section 2.5.5.2), translated (RFC
 * 7915, and RFC 2765 before it), and translated within a network of its own (RFC 8215).
 */
const MAPPED = new Set(['0,0,0,0,0,65535', '0,0,0,0,65535,0', '100,65435,0,0,0,0', '100,65435,1,0,0,0'])
const OCTET = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const V4 = new RegExp(`^${OCTET}\\.${OCTET}\\.${OCTET}\\.${OCTET}$`)
const BRACKETS = /^\[([^\]]*)\](?::\d{1,5})?$/
const V4_PORT = /^([\d.]+):\d{1,5}$/

/**
 * One form for all spellings of an address: `192.0.2.1` for IPv4, also where it is mapped into IPv6 (`::ffff:c000:201`)
 * or translated (`64:ff9b::c000:201` and its like); for IPv6 the network of `ipv6Prefix` bits (`2001:db8::/64`), since one
 * subscriber holds all of it. Brackets, a port and a zone are left out, so that all link-local addresses are one network,
 * `fe80::/64`. Undefined for what is no address. Throws `INVALID_ARGUMENT` for a prefix that is not 1 to 128 bits.
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

/** The network of `bits` bits that an address is in, its last groups of zero left out. */
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
