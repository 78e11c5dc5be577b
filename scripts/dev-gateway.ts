import { type StartedGateway, startGateway } from 'hither/node'
import { find, type Program } from './servers/find.ts'
import { startServer } from './servers.ts'

/** The first that is on this machine; Redis 7, which is then installed, when none is. */
async function pickProgram(): Promise<Program> {
  for (const program of ['redis8', 'redis7', 'valkey'] as const) if (await find(program)) return program
  return 'redis7'
}

/** A gateway that speaks Upstash's REST protocol before `REDIS_URL`, or before a Redis of its own that keeps nothing. */
export async function startDevGateway(): Promise<StartedGateway> {
  const given = process.env.REDIS_URL
  const server = given ? undefined : await startServer(await pickProgram())
  const gateway = await startGateway({ redis: given ?? (server?.url as string) }).catch(async (error: unknown) => {
    await server?.stop()
    throw error
  })
  console.log(`gateway on ${gateway.url}, its token for this run only`)
  return {
    ...gateway,
    async stop() {
      await gateway.stop()
      await server?.stop()
    },
  }
}
