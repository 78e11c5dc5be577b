/** `node test/http/suite/run.ts`: runs the public suite over every form of the proxy, and prints the scores. */
import { startGateway } from 'hither/node'
import { startServer } from '../../../scripts/servers.ts'
import { REVISION, type Running, runSuite, scoreOf, startOrigin, startProxy, startWorker } from './suite.ts'

const only = process.argv[2]
const redis = await startServer('redis8')
const gateway = await startGateway({ redis: redis.url })
const rest = { STORE: 'rest', UPSTASH_REDIS_REST_URL: gateway.url, UPSTASH_REDIS_REST_TOKEN: gateway.token }
const origin = await startOrigin()
const forms: readonly [name: string, start: () => Promise<Running>][] = [
  ['Node, memory, full', () => startProxy(origin.url, { STORE: 'memory', PROFILE: 'full' })],
  ['Node, memory, safe', () => startProxy(origin.url, { STORE: 'memory', PROFILE: 'safe' })],
  ['Node, Redis over TCP, full', () => startProxy(origin.url, { STORE: redis.url, PROFILE: 'full' })],
  ['Node, Redis over REST, full', () => startProxy(origin.url, { ...rest, PROFILE: 'full' })],
  ['workerd, memory, full', () => startWorker(origin.url, { STORE: 'memory', PROFILE: 'full' })],
  ['workerd, Redis over REST, full', () => startWorker(origin.url, { ...rest, PROFILE: 'full' })],
]
console.log(`cache-tests at ${REVISION}\n\n| form | required | fails | optimal | check |\n|---|---|---|---|---|`)
const missed: string[] = []
for (const [name, start] of forms) {
  if (only && !name.includes(only)) continue
  const proxy = await start()
  const score = scoreOf(await runSuite(proxy.url))
  await proxy.stop()
  console.log(`| ${name} | ${score.required} | ${score.fails} | ${score.optimal} | ${score.check} |`)
  missed.push(...score.missed.map((one) => `${name}: ${one.kind} ${one.outcome} ${one.id} ${one.reason}`))
}
console.log(`\n${missed.join('\n')}`)
await origin.stop()
await gateway.stop()
await redis.stop()
process.exit(0)
