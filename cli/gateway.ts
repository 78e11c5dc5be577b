import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { HitherError, isHitherError } from 'hither'
import type { GatewayEvent, GatewayRole } from 'hither/gateway'
import { parseTokens, type StartGatewayOptions, startGateway, type TokenFile, tokensFromFile } from 'hither/node'
import { dev as runDev } from './dev.ts'
import { fail } from './fail.ts'
import { stopOnSignals } from './signals.ts'

const HELP = `hither gateway: Upstash's REST protocol in front of a Redis

  hither gateway --redis redis://127.0.0.1:6379 --token secret --port 8079

  --redis URL     the Redis behind (or REDIS_URL)              default redis://127.0.0.1:6379
  --redis-user NAME, --redis-password TEXT
                  in place of those of the url (or REDIS_USER, REDIS_PASSWORD)
  --redis-ca FILE the authority of a rediss: server, in PEM
  --wait[=SECONDS] waits for a Redis that does not answer yet; without a number, without an end
  --token TEXT    what clients send as bearer token (or HITHER_TOKEN)
  --role ROLE     what that token may do: read-only, full, admin   default full, with --dev admin
  --tokens FILE   several tokens, with roles, commands and key prefixes (or HITHER_TOKENS_FILE); read again when it
                  changes, and on SIGHUP. HITHER_TOKENS holds the list itself
  --port N        default 8079 (or PORT); 0 takes a free one
  --host ADDR     default 127.0.0.1
  --allow-host NAME  answers only requests to this name or address; may be given more than once. With --dev on a
                  loopback address: localhost, 127.0.0.1 and [::1]
  --cors ORIGIN   pages of this origin may read, with read-only tokens; may be given more than once
  --keep-alive SECONDS  how long a connection stays open without a request   default 60
  --query-token   also takes the token as ?_token=
  --log           a line of JSON for each request, on standard error
  --dev           for development: the token may also administer. Without --redis it needs none: it is hither dev, with the
                  options of that
`

const DEFAULT_REDIS = 'redis://127.0.0.1:6379'
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

const log = (event: GatewayEvent): void => console.error(JSON.stringify({ at: new Date().toISOString(), ...event }))

/** Several tokens, from a file or the environment. */
function manyTokens(file: string): { readonly tokens?: StartGatewayOptions['tokens']; readonly watched?: TokenFile } {
  if (file) {
    const watched = tokensFromFile(file, (error) => log({ type: 'tokens-refused', reason: error.message }))
    return { tokens: watched.read, watched }
  }
  const { HITHER_TOKENS: list } = process.env
  return list ? { tokens: parseTokens(list) } : {}
}

function readAuthority(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    throw new HitherError('INVALID_ARGUMENT', '--redis-ca cannot be read')
  }
}

function parse(args: string[]) {
  const { env } = process
  return parseArgs({
    // `--wait` may stand alone, or before its number.
    args: args.flatMap((arg, i) => {
      if (arg === '--wait') return /^\d+$/.test(args[i + 1] ?? '') ? [`--wait=${args[i + 1]}`] : ['--wait=']
      return args[i - 1] === '--wait' && /^\d+$/.test(arg) ? [] : [arg]
    }),
    options: {
      redis: { type: 'string', default: env.REDIS_URL ?? '' },
      'redis-user': { type: 'string', default: env.REDIS_USER ?? '' },
      'redis-password': { type: 'string', default: env.REDIS_PASSWORD ?? '' },
      'redis-ca': { type: 'string', default: '' },
      wait: { type: 'string' },
      token: { type: 'string', default: env.HITHER_TOKEN ?? '' },
      role: { type: 'string', default: '' },
      tokens: { type: 'string', default: env.HITHER_TOKENS_FILE ?? '' },
      port: { type: 'string', default: env.PORT || '8079' },
      host: { type: 'string', default: '127.0.0.1' },
      'allow-host': { type: 'string', multiple: true },
      cors: { type: 'string', multiple: true },
      'keep-alive': { type: 'string', default: '60' },
      'query-token': { type: 'boolean', default: false },
      log: { type: 'boolean', default: false },
      dev: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  }).values
}

/** The arguments for `hither dev` if `--dev` is given and no Redis is; undefined otherwise. */
function argsOfDev(args: string[]): string[] | undefined {
  const options = {
    redis: { type: 'string' },
    dev: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const
  const { values, tokens } = parseArgs({ args, options, strict: false, tokens: true, allowPositionals: true })
  if (!values.dev || values.help || (values.redis ?? process.env.REDIS_URL)) return undefined
  const left = new Set<number>()
  for (const token of tokens) {
    if (token.kind !== 'option' || (token.name !== 'dev' && token.name !== 'redis')) continue
    left.add(token.index)
    if (token.name === 'redis' && !token.inlineValue) left.add(token.index + 1)
  }
  return args.filter((_, i) => !left.has(i))
}

type Values = ReturnType<typeof parse>

/** A number of seconds in milliseconds. */
function toMs(name: string, text: string): number {
  if (!/^\d{1,6}$/.test(text)) fail(`${name} is a number of seconds`)
  return Number(text) * 1000
}

function waitMs({ wait }: Values): number {
  if (wait === undefined) return 0
  return wait === '' ? Number.POSITIVE_INFINITY : toMs('--wait', wait)
}

/** Host names that the server accepts; undefined: any name. */
function hostsOf({ 'allow-host': allowed, dev, host }: Values): readonly string[] | undefined {
  if (allowed) return allowed
  const isLoopback = host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host)
  return dev && isLoopback ? [...LOOPBACK, host] : undefined
}

function toOptions(values: Values, tokens: StartGatewayOptions['tokens']): StartGatewayOptions {
  const { token, role, dev, host } = values
  const port = Number(values.port)
  if (!/^\d+$/.test(values.port) || port > 65_535) fail('--port is a number from 0 to 65535')
  const keepAliveMs = toMs('--keep-alive', values['keep-alive'])
  const hosts = hostsOf(values)
  const redis = values.redis || DEFAULT_REDIS
  return {
    redis,
    redisUser: values['redis-user'],
    redisPassword: values['redis-password'],
    waitMs: waitMs(values),
    onWait: (error) => console.error(`hither: waiting for Redis: ${withAddress(error, redis).message}`),
    role: (role || (dev ? 'admin' : 'full')) as GatewayRole,
    host,
    port,
    keepAliveMs,
    queryToken: values['query-token'],
    ...(values['redis-ca'] ? { redisTls: { ca: readAuthority(values['redis-ca']) } } : {}),
    ...(values.cors ? { cors: values.cors } : {}),
    ...(hosts ? { hosts } : {}),
    ...(token ? { token } : {}),
    ...(tokens ? { tokens } : {}),
    onEvent: (event) => {
      if (values.log || event.type !== 'request') log(event)
    },
  }
}

/** Adds to the message the host and the port that did not reply, and no other part of the url. */
function withAddress(error: HitherError, redis: string): HitherError {
  if (!/^(STORE_UNAVAILABLE|TIMEOUT|BAD_REPLY|UNSUPPORTED)$/.test(error.code)) return error
  if (!URL.canParse(redis)) return error
  const { hostname, port } = new URL(redis)
  if (!hostname) return error
  const hint = error.code === 'BAD_REPLY' && redis.startsWith('redis:') ? ', and rediss:// is for a server of TLS' : ''
  const where = `${hostname}:${port || 6379}; --redis names another${hint}`
  return new HitherError(error.code, `${error.message} (${where})`, { cause: error })
}

/** Runs the gateway until a signal ends it. Rejects with the error that keeps it from starting. */
export async function gateway(args: string[]): Promise<void> {
  const forDev = argsOfDev(args)
  if (forDev) return runDev(forDev)
  const values = parse(args)
  if (values.help) return void console.log(HELP)
  const { token } = values
  const { HITHER_TOKENS, HITHER_TOKEN } = process.env
  if (!token && values.role && (values.tokens || HITHER_TOKENS)) {
    fail('--role is that of --token: in a list of tokens each names its own')
  }
  const { tokens, watched } = manyTokens(values.tokens)
  if (!token && !tokens) fail('no token: give --token or --tokens, or set HITHER_TOKEN')
  const options = toOptions(values, tokens)
  const served = await startGateway(options).catch((error: unknown) => {
    throw isHitherError(error) ? withAddress(error as HitherError, options.redis) : error
  })
  stopOnSignals(() => {
    watched?.close()
    return served.stop()
  })
  process.on('SIGHUP', () => watched?.reload())
  console.log(`gateway on ${served.url}`)
  const shown = token && HITHER_TOKEN === token ? '$HITHER_TOKEN' : '<token>'
  const example = token && values.role !== 'read-only' ? 'set/hello/world' : 'get/hello'
  console.log(`  curl ${served.url}/${example} -H "Authorization: Bearer ${shown}"`)
  console.log('  UPSTASH_REDIS_REST_URL is that address, UPSTASH_REDIS_REST_TOKEN the token')
}
