import { find } from '../../scripts/servers/find.ts'
import { startServer } from '../../scripts/servers.ts'

/** Why Garnet, a .NET tool, is not on this machine; undefined if it is. */
export async function whyNoGarnet(): Promise<string | undefined> {
  const found = (await find('garnet')) ?? (await startServer('garnet').then((server) => server.stop(), String))
  if (typeof found !== 'string') return undefined
  console.log(`skipped: Garnet: ${found}`)
  return found
}
