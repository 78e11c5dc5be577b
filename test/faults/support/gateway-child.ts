import { type StartGatewayOptions, startGateway } from '../../../adapters/node/index.ts'

const [redis = '', options = '{}'] = process.argv.slice(2)
const { url, token } = await startGateway({ ...(JSON.parse(options) as Partial<StartGatewayOptions>), redis })
process.on('disconnect', () => process.exit())
process.send?.({ url, token })
