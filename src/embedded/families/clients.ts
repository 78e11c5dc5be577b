import { ReplyError } from '../../store/transport.ts'
import { type Client, type Family, SENT } from '../contracts.ts'
import { int, intBetween } from '../numbers.ts'
import { fail, MapReply, OK, quoting, type Reply, SetReply, Verbatim } from '../reply.ts'
import { checkName } from './connection.ts'
import { SYNTAX } from './strings.ts'

const overlap = (a: string, b: string): boolean => a.startsWith(b) || b.startsWith(a)

/** No prefix may begin with another, since a change would then be sent twice. Throws error replies. */
function checkPrefixes(prefixes: readonly string[], existing: readonly string[]): void {
  const tail = 'Prefixes for a single client must not overlap.'
  prefixes.forEach((prefix, i) => {
    const old = existing.find((one) => overlap(one, prefix))
    if (old !== undefined) fail(quoting`ERR Prefix '${prefix}' overlaps with an existing prefix '${old}'. ${tail}`)
    const other = prefixes.slice(i + 1).find((one) => overlap(one, prefix))
    if (other !== undefined)
      fail(quoting`ERR Prefix '${prefix}' overlaps with another provided prefix '${other}'. ${tail}`)
  })
}

/** The prefixes that a client tracks, sorted. Without any it tracks all keys. */
const prefixesOf = (added: readonly string[], existing: readonly string[]): string[] =>
  [...existing, ...(added.length + existing.length > 0 ? added : [''])].sort()

function tracking(client: Client, args: readonly string[]): Reply {
  const { engine } = client
  const state = args[2]?.toLowerCase()
  const prefixes: string[] = []
  const flags = { bcast: false, optin: false, optout: false, noloop: false }
  let redirect = 0
  for (let i = 3; i < args.length; i++) {
    const word = (args[i] as string).toLowerCase()
    if (word in flags) flags[word as keyof typeof flags] = true
    else if (word === 'redirect' && i + 1 < args.length) {
      if (redirect) fail('ERR A client can only redirect to a single other client')
      redirect = int(args[++i])
      if (!engine.clients.has(redirect)) fail('ERR The client ID you want redirect to does not exist')
    } else if (word === 'prefix' && i + 1 < args.length) prefixes.push(args[++i] as string)
    else fail(SYNTAX)
  }
  if (state === 'off') engine.tracking.leave(client)
  else if (state === 'on') {
    if (!flags.bcast && prefixes.length > 0) fail('ERR PREFIX option requires BCAST mode to be enabled')
    if (client.tracking && !!client.tracking.prefixes !== flags.bcast) {
      fail(
        "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
      )
    }
    const { optIn = false, optOut = false } = client.tracking ?? {}
    const isSwitched = (optIn && flags.optout) || (optOut && flags.optin)
    if (isSwitched && !(flags.optin && flags.optout)) {
      fail(
        "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
      )
    }
    checkPrefixes(prefixes, client.tracking?.prefixes ?? [])
    if (flags.bcast && (flags.optin || flags.optout)) fail('ERR OPTIN and OPTOUT are not compatible with BCAST')
    if (flags.optin && flags.optout) fail("ERR You can't specify both OPTIN mode and OPTOUT mode")
    client.tracking = {
      prefixes: flags.bcast ? prefixesOf(prefixes, client.tracking?.prefixes ?? []) : undefined,
      optIn: flags.optin,
      optOut: flags.optout,
      noLoop: flags.noloop,
      redirect,
      caching: undefined,
      isBroken: false,
    }
    engine.tracking.enter(client)
  } else fail(SYNTAX)
  return OK
}

function trackingInfo(client: Client): Reply {
  const { tracking: state } = client
  if (!state) return new MapReply(['flags', new SetReply(['off']), 'redirect', -1, 'prefixes', []])
  const flags = ['on']
  if (state.prefixes) flags.push('bcast')
  if (state.optIn) flags.push('optin', ...(state.caching === true ? ['caching-yes'] : []))
  if (state.optOut) flags.push('optout', ...(state.caching === false ? ['caching-no'] : []))
  if (state.noLoop) flags.push('noloop')
  if (state.isBroken) flags.push('broken_redirect')
  return new MapReply([
    'flags',
    new SetReply(flags),
    'redirect',
    state.redirect,
    'prefixes',
    [...(state.prefixes ?? [])],
  ])
}

const typeOf = (client: Client): string => (client.channels.size + client.patterns.size > 0 ? 'pubsub' : 'normal')

function readType(text: string | undefined): string {
  const type = text?.toLowerCase() ?? ''
  return /^(normal|master|replica|slave|pubsub)$/.test(type) ? type : fail(quoting`ERR Unknown client type '${text}'`)
}

/** Returns a test for the clients that the words of CLIENT KILL and LIST select. */
function filterOf(client: Client, args: readonly string[], from: number): (one: Client) => boolean {
  const tests: ((one: Client) => boolean)[] = []
  let skipMe = true
  for (let i = from; i < args.length; i += 2) {
    const word = args[i]?.toUpperCase()
    const value = args[i + 1]
    if (value === undefined) fail(SYNTAX)
    if (word === 'ID') {
      const message = 'ERR client-id should be greater than 0'
      const id = intBetween(value, 1, 2 ** 63, message)
      tests.push((one) => one.id === id)
    } else if (word === 'ADDR') tests.push((one) => one.address === value)
    else if (word === 'LADDR') tests.push(() => false)
    else if (word === 'USER') {
      if (!client.engine.users.has(value as string)) fail(quoting`ERR No such user '${value}'`)
      tests.push((one) => one.user?.name === value)
    } else if (word === 'TYPE') {
      const type = readType(value)
      tests.push((one) => typeOf(one) === type)
    } else if (word === 'MAXAGE') {
      const seconds = int(value, 'ERR maxage is not an integer or out of range')
      if (seconds <= 0) fail('ERR maxage should be greater than 0')
      tests.push((one) => one.now - one.sinceMs >= seconds * 1000)
    } else if (word === 'SKIPME' && /^(yes|no)$/i.test(value as string)) skipMe = value?.toLowerCase() === 'yes'
    else fail(SYNTAX)
  }
  return (one) => (!skipMe || one !== client) && tests.every((test) => test(one))
}

function kill(client: Client, args: readonly string[]): Reply {
  const all = [...client.engine.clients.values()]
  const isOld = args.length === 3
  const fits = isOld ? (one: Client) => one.address === args[2] : filterOf(client, args, 2)
  const chosen = all.filter(fits)
  for (const one of chosen) {
    one.outlet.close?.()
    if (one !== client) client.engine.disconnect(one)
  }
  if (isOld) return chosen.length > 0 ? OK : fail('ERR No such client')
  return chosen.length
}

function list(client: Client, args: readonly string[]): Reply {
  let all = [...client.engine.clients.values()].filter((one) => !one.isScript)
  if (args[2]?.toUpperCase() === 'ID' && args[3] !== undefined) {
    const ids = new Set(args.slice(3).map((id) => int(id, 'ERR Invalid client ID')))
    all = all.filter((one) => ids.has(one.id))
  } else if (args[2]?.toUpperCase() === 'TYPE' && args.length === 4) {
    const type = readType(args[3])
    all = all.filter((one) => typeOf(one) === type)
  } else if (args.length > 2) fail(SYNTAX)
  return new Verbatim(all.map((one) => `${one.describe()}\n`).join(''))
}

function onOff(args: readonly string[]): boolean {
  const word = args[2]?.toLowerCase()
  return word === 'on' || word === 'off' ? word === 'on' : fail(SYNTAX)
}

export const clients: Family = {
  'client|id': (client) => client.id,
  'client|getname': (client) => client.name || null,
  'client|setname'(client, args) {
    checkName(args[2] as string)
    client.name = args[2] as string
    return OK
  },
  'client|setinfo'(client, args) {
    const [, , attribute = '', value = ''] = args
    if (!/^lib-(name|ver)$/i.test(attribute)) fail(`ERR Unrecognized option '${attribute}'`)
    if (/[^!-~]/.test(value)) fail(`ERR ${attribute} cannot contain spaces, newlines or special characters.`)
    const [name, version] = client.library
    client.library = attribute.toLowerCase() === 'lib-name' ? [value, version] : [name, value]
    return OK
  },
  'client|info': (client) => new Verbatim(`${client.describe()}\n`),
  'client|list': list,
  'client|kill': kill,
  'client|getredir': (client) => client.tracking?.redirect ?? -1,
  'client|tracking': tracking,
  'client|trackinginfo': trackingInfo,
  'client|caching'(client, args) {
    const word = args[2]?.toLowerCase()
    const { tracking: state } = client
    if (!state || !(state.optIn || state.optOut)) {
      fail(
        'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
      )
    }
    if (word === 'yes') {
      if (!state?.optIn) fail('ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.')
    } else if (word === 'no') {
      if (!state?.optOut) fail('ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.')
    } else fail(SYNTAX)
    ;(state as NonNullable<typeof state>).caching = word === 'yes'
    return OK
  },
  'client|reply'(client, args) {
    const word = args[2]?.toLowerCase()
    if (word === 'on') {
      client.replies = 'on'
      return OK
    }
    if (word === 'off') client.replies = 'off'
    else if (word === 'skip') client.replies = client.replies === 'off' ? 'off' : 'skip'
    else fail(SYNTAX)
    return SENT
  },
  'client|unblock'(client, args) {
    const id = int(args[2])
    const how = args[3]?.toUpperCase() ?? 'TIMEOUT'
    if (how !== 'TIMEOUT' && how !== 'ERROR') fail('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR')
    const other = client.engine.clients.get(id)
    const error = how === 'ERROR' ? new ReplyError('UNBLOCKED client unblocked via CLIENT UNBLOCK') : undefined
    return other && client.engine.waiters.unblock(other, error) ? 1 : 0
  },
  'client|no-evict'(_client, args) {
    onOff(args)
    return OK
  },
  'client|no-touch'(client, args) {
    client.noTouch = onOff(args)
    return OK
  },
  'client|pause'(_client, args) {
    if (args[3] !== undefined && !/^(write|all)$/i.test(args[3])) fail('ERR CLIENT PAUSE mode must be WRITE or ALL')
    if (int(args[2], 'ERR timeout is not an integer or out of range') < 0) fail('ERR timeout is negative')
    return OK
  },
  'client|unpause': () => OK,
}
