import { forkSource } from '../../support/fork-source.ts'

export interface GatewayProcess {
  readonly url: string
  readonly token: string
  stop(): Promise<void>
}

/** Starts a gateway in a separate process, so that its work takes no time from the client under test. */
export async function startGatewayProcess(redis: string): Promise<GatewayProcess> {
  const child = forkSource(new URL('gateway-child.ts', import.meta.url), redis)
  const started = await new Promise<{ url: string; token: string }>((resolve, reject) => {
    child.once('message', (message) => resolve(message as { url: string; token: string }))
    child.once('exit', () => reject(new Error('the gateway did not start')))
  })
  return {
    ...started,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve())
        child.disconnect()
      }),
  }
}
