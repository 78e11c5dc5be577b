import { type StartDevOptions, type StartedDev, startDev as start } from './start-dev.ts'
import { type StartedGateway, type StartGatewayOptions, startGateway } from './start-gateway.ts'

export interface TestGateway extends StartedGateway, AsyncDisposable {}

/**
 * A gateway for a test, on a free port of this machine. Its random token may do everything, so that a test can empty its
 * database. `await using` stops it. Rejects as `startGateway` of `hither/node` does.
 */
export async function startTestGateway(
  options: Pick<StartGatewayOptions, 'redis'> & Partial<StartGatewayOptions>,
): Promise<TestGateway> {
  const gateway = await startGateway({ host: '127.0.0.1', port: 0, ...options })
  return { ...gateway, [Symbol.asyncDispose]: gateway.stop }
}

export interface TestDev extends StartedDev, AsyncDisposable {}

/**
 * A development server for a test: REST and RESP on free ports of this machine, with its own empty engine. `await using`
 * stops it. Rejects as `startDev` of `hither/node` does.
 */
export async function startDev(options: StartDevOptions = {}): Promise<TestDev> {
  const dev = await start(options)
  return { ...dev, [Symbol.asyncDispose]: dev.stop }
}
