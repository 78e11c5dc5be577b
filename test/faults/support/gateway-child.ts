import { connect, ioredisTransport } from '../../../adapters/ioredis/index.ts'
import { type StartGatewayOptions, serve, startGateway } from '../../../adapters/node/index.ts'
import { createGateway } from '../../../src/gateway/index.ts'

const [redis = '', json = '{}', client = 'tcp'] = process.argv.slice(2)
const options = JSON.parse(json) as Partial<StartGatewayOptions>

async function start(): Promise<{ readonly url: string; readonly token: string }> {
  if (client === 'tcp') return startGateway({ ...options, redis })
  const token = crypto.randomUUID()
  const transport = ioredisTransport(await connect(redis))
  const tokens = [{ token, role: 'admin' as const }]
  const { url } = await serve(createGateway({ ...options, transport, tokens }), options)
  return { url, token }
}

const { url, token } = await start()
process.on('disconnect', () => process.exit())
process.send?.({ url, token })
