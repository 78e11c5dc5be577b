import { startGateway } from '../../../adapters/node/index.ts'

const { url, token } = await startGateway({ redis: process.argv[2] as string })
process.on('disconnect', () => process.exit())
process.send?.({ url, token })
