/**
 * `npm run test:http-suite`: runs the public suite over every form of the proxy, prints the scores, and writes them into
 * docs/http-cache.md. With an argument it runs only the forms whose names contain that text, and rewrites only their rows.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { startGateway } from 'hither/node'
import { startServer } from '../../../scripts/servers.ts'
import { formsOf, REVISION, runSuite, scoreOf, startOrigin } from './suite.ts'

const PAGE = new URL('../../../docs/http-cache.md', import.meta.url)
const [BEGIN, END] = ['<!-- scores -->\n', '<!-- end of scores -->']

const only = process.argv[2]
const redis = await startServer('redis8')
const gateway = await startGateway({ redis: redis.url })
const origin = await startOrigin()
const rows = [
  `Suite: http-tests/cache-tests at revision ${REVISION}.`,
  '',
  '| hither/http | required, of 160 | fails | optimal, of 105 |',
  '|---|---|---|---|',
]
const missed: string[] = []
for (const form of formsOf(redis.url, gateway)) {
  const name = `${form.name}, \`${form.profile}\``
  if (only && !name.includes(only)) continue
  const proxy = await form.start(origin.url)
  const score = scoreOf(await runSuite(proxy.url))
  await proxy.stop()
  rows.push(`| ${name} | ${score.required} | ${score.fails} | ${score.optimal} |`)
  console.log(rows.at(-1))
  missed.push(...score.missed.map((one) => `${name}: ${one.kind} ${one.outcome} ${one.id} ${one.reason}`))
}
console.log(`\n${rows.join('\n')}\n\n${missed.join('\n')}`)
const page = readFileSync(PAGE, 'utf8')
const [from, to] = [page.indexOf(BEGIN) + BEGIN.length, page.indexOf(END)]
const nameOf = (row: string): string | undefined => row.split(' | ')[0]
const drawn = page.slice(from, to).trimEnd().split('\n')
const kept = drawn.map((row) => rows.find((one) => one !== '' && nameOf(one) === nameOf(row)) ?? row)
writeFileSync(PAGE, `${page.slice(0, from)}${(only ? kept : rows).join('\n')}\n${page.slice(to)}`)
await origin.stop()
await gateway.stop()
await redis.stop()
process.exit(0)
