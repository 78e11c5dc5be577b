#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { isHitherError } from 'hither'
import { startGateway } from 'hither/testing/node'

const HELP = `hither gateway: Upstash's REST protocol in front of a Redis

  hither gateway --redis redis://127.0.0.1:6379 --token secret --port 8079

  --redis URL    the Redis behind (or REDIS_URL)              default redis://127.0.0.1:6379
  --token TEXT   what clients send as bearer token (or HITHER_TOKEN); required
  --port N       default 8079; 0 takes a free one
  --host ADDR    default 127.0.0.1
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

async function gateway(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      redis: { type: 'string', default: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' },
      token: { type: 'string', default: process.env.HITHER_TOKEN ?? '' },
      port: { type: 'string', default: '8079' },
      host: { type: 'string', default: '127.0.0.1' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void console.log(HELP)
  if (!values.token) fail('no token: give --token or set HITHER_TOKEN')
  const port = Number(values.port)
  if (!/^\d+$/.test(values.port) || port > 65_535) fail('--port is a number from 0 to 65535')
  const { redis, token, host } = values
  const served = await startGateway({ redis, token, host, port })
  let stopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1)
      stopping = true
      void served.stop().then(() => process.exit(0))
    })
  }
  console.log(`gateway on ${served.url}`)
  console.log(
    `  curl ${served.url}/set/hello/world -H "Authorization: Bearer ${process.env.HITHER_TOKEN === token ? '$HITHER_TOKEN' : '<token>'}"`,
  )
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
