#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { HitherError, isHitherError } from 'hither'
import type { GatewayEvent, GatewayRole } from 'hither/gateway'
import {
  parseTokens,
  type StartGatewayOptions,
  startGateway,
  type TokenFile,
  tokensFromFile,
} from 'hither/testing/node'

const HELP = `hither gateway: Upstash's REST protocol in front of a Redis

  hither gateway --redis redis://127.0.0.1:6379 --token secret --port 8079

  --redis URL     the Redis behind (or REDIS_URL)              default redis://127.0.0.1:6379
  --redis-ca FILE the authority of a rediss: server, in PEM
  --token TEXT    what clients send as bearer token (or HITHER_TOKEN)
  --role ROLE     what that token may do: read-only, full, admin   default full, with --dev admin
  --tokens FILE   several tokens, with roles, commands and key prefixes (or HITHER_TOKENS_FILE); read again when it
                  changes, and on SIGHUP. HITHER_TOKENS holds the list itself
  --port N        default 8079; 0 takes a free one
  --host ADDR     default 127.0.0.1
  --query-token   also takes the token as ?_token=
  --log           a line of JSON for each request, on standard error
  --dev           for development: the token may also administer
`

/** What went wrong while the port was opened, by Node's code. */
const LISTEN: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is taken: give another with --port',
  EACCES: 'the port needs more rights: give one above 1023 with --port',
  EADDRNOTAVAIL: '--host is no address of this machine',
  ENOTFOUND: '--host is no address of this machine',
}

function fail(message: string): never {
  console.error(`hither: ${message}`)
  process.exit(2)
}

/** What to tell of an error; undefined for one that nobody foresaw. */
function explain(error: unknown): string | undefined {
  if (isHitherError(error)) return `${error.code}: ${error.message}`
  const { code = '', message = '' } = error as { code?: string; message?: string }
  // Its message quotes the argument, which may be a token.
  if (code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL') return 'gateway takes options only: try hither --help'
  return code.startsWith('ERR_PARSE_ARGS') ? message : LISTEN[code]
}

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

async function gateway(args: string[]): Promise<void> {
  const { env } = process
  const { values } = parseArgs({
    args,
    options: {
      redis: { type: 'string', default: env.REDIS_URL ?? '' },
      'redis-ca': { type: 'string', default: '' },
      token: { type: 'string', default: env.HITHER_TOKEN ?? '' },
      role: { type: 'string', default: '' },
      tokens: { type: 'string', default: env.HITHER_TOKENS_FILE ?? '' },
      port: { type: 'string', default: '8079' },
      host: { type: 'string', default: '127.0.0.1' },
      'query-token': { type: 'boolean', default: false },
      log: { type: 'boolean', default: false },
      dev: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void console.log(HELP)
  const { token, host, dev } = values
  if (dev && !values.redis) {
    fail('--dev alone needs the embedded engine, which this version does not have: give --redis, or set REDIS_URL')
  }
  const several = values.tokens || env.HITHER_TOKENS
  if (!token && values.role && several) fail('--role is that of --token: in a list of tokens each names its own')
  const { tokens, watched } = manyTokens(values.tokens)
  if (!token && !tokens) fail('no token: give --token or --tokens, or set HITHER_TOKEN')
  const port = Number(values.port)
  if (!/^\d+$/.test(values.port) || port > 65_535) fail('--port is a number from 0 to 65535')
  const served = await startGateway({
    redis: values.redis || 'redis://127.0.0.1:6379',
    role: (values.role || (dev ? 'admin' : 'full')) as GatewayRole,
    host,
    port,
    queryToken: values['query-token'],
    ...(values['redis-ca'] ? { redisTls: { ca: readAuthority(values['redis-ca']) } } : {}),
    ...(token ? { token } : {}),
    ...(tokens ? { tokens } : {}),
    onEvent: (event) => {
      if (values.log || event.type !== 'request') log(event)
    },
  })
  let stopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1)
      stopping = true
      watched?.close()
      void served.stop().then(() => process.exit(0))
    })
  }
  process.on('SIGHUP', () => watched?.reload())
  console.log(`gateway on ${served.url}`)
  const shown = token && env.HITHER_TOKEN === token ? '$HITHER_TOKEN' : '<token>'
  const example = token && values.role !== 'read-only' ? 'set/hello/world' : 'get/hello'
  console.log(`  curl ${served.url}/${example} -H "Authorization: Bearer ${shown}"`)
  console.log('  UPSTASH_REDIS_REST_URL is that address, UPSTASH_REDIS_REST_TOKEN the token')
}

const [command, ...rest] = process.argv.slice(2)
try {
  if (command === 'gateway') await gateway(rest)
  else if (command === undefined || command === '--help' || command === 'help') console.log(HELP)
  else fail('no such command: try hither --help')
} catch (error) {
  const message = explain(error)
  if (message === undefined) throw error
  fail(message)
}
