/** A gateway in a process of its own, so that what it does takes no time from the client under test. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { connect, ioredisStore } from '../../../adapters/ioredis/index.ts'
import { serve } from '../../../adapters/node/serve.ts'
import { createGateway } from '../../../src/gateway/index.ts'
import type { Transport } from '../../../src/store/transport.ts'

export interface GatewayProcess {
  readonly url: string
  readonly token: string
  stop(): Promise<void>
}

const TOKEN = 'a-token-of-tests'
const ROLE = 'HITHER_TEST_GATEWAY'

export async function startGatewayProcess(redis: string): Promise<GatewayProcess> {
  const child = fork(fileURLToPath(import.meta.url), [redis], { execArgv: ['--no-warnings'], env: { [ROLE]: '1' } })
  const url = await new Promise<string>((resolve, reject) => {
    child.once('message', (message) => resolve(String(message)))
    child.once('exit', () => reject(new Error('the gateway did not start')))
  })
  return {
    url,
    token: TOKEN,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve())
        child.disconnect()
      }),
  }
}

if (process.env[ROLE]) {
  const client = await connect(process.argv[2] as string, { client: { stringNumbers: true } })
  client.on('error', () => {})
  const { transport } = ioredisStore(client)
  const { url } = await serve(createGateway({ transport: transport as Transport, tokens: [TOKEN] }))
  process.on('disconnect', () => process.exit())
  process.send?.(url)
}
