import { connect } from 'node:net'
import { startDev } from 'hither/testing/node'
import { expect, it } from 'vitest'
import { rounds } from '../support/rounds.ts'
import { seedOfTheDay } from '../support/seed.ts'
import { type Chance, createChance } from './support/history.ts'

const TOTAL = Number(process.env.HITHER_FUZZ_BYTES ?? rounds({ quick: 1_000_000, soak: 10_000_000 }))
/** Number of requests under way at once. */
const AT_ONCE = 40
const TOKEN = 'the-token'

const pick = <T>(chance: Chance, items: readonly T[]): T => items[Math.floor(chance() * items.length)] as T

const METHODS = ['GET', 'POST', 'POST', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE', 'PATCH', 'get', 'PRI', '\0']
const PATHS = [
  '/',
  '/',
  '/pipeline',
  '/pipeline',
  '/multi-exec',
  '/multi-exec',
  '/get/a',
  '/set/a/b',
  '/set/a/b?EX=100&NX',
  '/set/a',
  '/subscribe/a',
  '/psubscribe/*',
  '/monitor',
  '/blpop/l/0',
  '/xread/BLOCK/0/STREAMS/x/$',
  '/eval/return%201/0',
  '/',
  '/%',
  '/%00',
  '/get/%ff%fe%e2%82',
  '/get/%2e%2e%2f',
  '//',
  '/../../etc/passwd',
  '/get/a#b?c',
  '/?_token=the-token',
  '/get/a?_token=',
  '*',
  'http://other.example/get/a',
  'nothing',
  `/get/${'a'.repeat(9000)}`,
  `/get${'/a'.repeat(3000)}`,
  '/pipeline/',
  '/PIPELINE',
  '/multi-exec?x[]=1&x[]=2',
  '/é\xff',
]
const HEADERS = [
  'Upstash-Encoding: base64',
  'Upstash-Encoding: nonsense',
  'Upstash-Response-Format: resp2',
  'Upstash-Response-Format: resp9',
  'Upstash-Sync-Token: \xff',
  'Content-Type: application/json',
  'Content-Type: multipart/form-data; boundary=x',
  'Content-Type: application/octet-stream',
  'Content-Encoding: gzip',
  'Content-Encoding: br, gzip',
  'Accept: text/event-stream',
  'Accept-Encoding: *;q=0',
  'Origin: null',
  'Origin: https://other.example',
  'Access-Control-Request-Method: POST',
  'Expect: 100-continue',
  'Expect: nonsense',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Cookie: a=b',
  'Range: bytes=0-1',
  'X-Forwarded-For: 1.2.3.4, \0',
  'no colon',
  ': no name',
  `X-Long: ${'x'.repeat(5000)}`,
  'Content-Length: 5',
  'Content-Length: -1',
  'Content-Length: 99999999999999',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
]
const AUTH = [
  ...Array.from({ length: 8 }, () => `Authorization: Bearer ${TOKEN}`),
  `Authorization: bearer   ${TOKEN}`,
  'Authorization: Bearer wrong',
  'Authorization: Basic dXNlcjp4',
  'Authorization: ',
  'X: none',
]
const COMMANDS = [
  '["SET","a","b"]',
  '["GET","a"]',
  '["set","a","\\u0000\\ud800é"]',
  '["SET","a",1.5,"EX",100]',
  '["SET","a",true]',
  '["SET","a",null]',
  '["SET","a",{"b":[1]}]',
  '["GET",["a"]]',
  '["INCRBY","n",9223372036854775807]',
  '["INCRBYFLOAT","n",1e400]',
  '["MSET","a"]',
  '["LPUSH","l",1,2,3]',
  '["XADD","x","*","a","b"]',
  '["BLPOP","none",0.001]',
  '["BLPOP","none",0]',
  '["MULTI"]',
  '["EXEC"]',
  '["WATCH","a"]',
  '["SUBSCRIBE","a"]',
  '["MONITOR"]',
  '["HELLO",3]',
  '["AUTH","x","y"]',
  '["SELECT",5]',
  '["CLIENT","REPLY","OFF"]',
  '["CLIENT","TRACKING","ON"]',
  '["QUIT"]',
  '["RESET"]',
  '["EVAL","return {1,{2,\'x\'},false}",0]',
  '["EVAL","return",-1]',
  '["NOPE"]',
  '[""]',
  '[]',
  '{}',
  'null',
  '5',
  '"PING"',
  '[["PING"],["NOPE"],5]',
]
const BODIES = [
  '',
  '[',
  '[[',
  '[['.repeat(2000),
  `${'['.repeat(3000)}${']'.repeat(3000)}`,
  `["SET","a","${'x'.repeat(4000)}"]`,
  `[${'1,'.repeat(2000)}1]`,
  '["GET","\\ud800"]',
  '["GET","\xff\xfe"]',
  '\xef\xbb\xbf["PING"]',
  '["PING"] ["PING"]',
  '["GET", "a",]',
  "['GET','a']",
  '{"__proto__":["PING"]}',
  '5\r\n["PIN\r\n0\r\n\r\n',
  'ffffffffffffffff\r\nx',
  '-1\r\n\r\n',
]

function makeBody(chance: Chance): string {
  const kind = chance()
  if (kind < 0.25) return pick(chance, BODIES)
  if (kind < 0.5) return pick(chance, COMMANDS)
  return `[${Array.from({ length: Math.floor(chance() * 12) }, () => pick(chance, COMMANDS)).join(',')}]`
}

/** Makes a request that is whole, cut, or has noise in it. */
function makeRequest(chance: Chance): Buffer {
  const body = makeBody(chance)
  const extra = Array.from({ length: Math.floor(chance() * 4) }, () => pick(chance, HEADERS))
  const length = chance() < 0.9 ? [`Content-Length: ${Buffer.byteLength(body, 'latin1')}`] : []
  const version = chance() < 0.97 ? 'HTTP/1.1' : pick(chance, ['HTTP/1.0', 'HTTP/2.0', 'HTTP/9', ''])
  const head = [`${pick(chance, METHODS)} ${pick(chance, PATHS)} ${version}`, 'Host: localhost', pick(chance, AUTH)]
  let text = `${[...head, ...length, ...extra].join('\r\n')}\r\n\r\n${body}`
  if (chance() < 0.1) text = text.slice(0, Math.floor(chance() * text.length))
  if (chance() < 0.1) {
    const at = Math.floor(chance() * text.length)
    const noise = String.fromCharCode(...Array.from({ length: 8 }, () => Math.floor(chance() * 256)))
    text = text.slice(0, at) + noise + text.slice(at)
  }
  return Buffer.from(chance() < 0.1 ? text + text : text, 'latin1')
}

/** Resolves to the response to a valid request on a new connection. */
function askApart(port: number): Promise<string> {
  const body = '["ECHO","after them"]'
  const head = ['POST / HTTP/1.1', 'Host: localhost', 'Connection: close', `Authorization: Bearer ${TOKEN}`]
  return new Promise((resolve, reject) => {
    let text = ''
    connect(port, '127.0.0.1')
      .on('data', (data) => {
        text += data
      })
      .once('close', () => resolve(text))
      .once('error', reject)
      .write(`${[...head, `Content-Length: ${body.length}`].join('\r\n')}\r\n\r\n${body}`)
  })
}

it(`${TOTAL} bytes of hostile requests of REST neither end the server, nor hang it, nor fill its memory`, async () => {
  await using dev = await startDev({ token: TOKEN, maxBytes: 16 * 1024 * 1024 })
  const chance = createChance(seedOfTheDay())
  const port = Number(new URL(dev.url).port)
  const clients = dev.engine.clients.size
  const before = process.memoryUsage().heapUsed
  const failed: string[] = []
  let answered = 0
  let heard = 0
  let sent = 0
  let bytes = 0
  while (bytes < TOTAL) {
    const sockets = Array.from({ length: AT_ONCE }, () => {
      const request = makeRequest(chance)
      bytes += request.length
      sent++
      const socket = connect(port, '127.0.0.1', () => socket.write(request))
      let isFirst = true
      socket.on('error', () => {})
      socket.on('data', (data) => {
        heard++
        if (isFirst) answered++
        isFirst = false
        // A 500 or 502 is an error that the server did not expect.
        if (/^HTTP\/1\.1 50[02]/.test(data.toString('latin1'))) {
          failed.push(
            `${data.toString('latin1').slice(0, 300)} to ${JSON.stringify(request.toString('latin1')).slice(0, 600)}`,
          )
        }
      })
      return socket
    })
    // Later requests get their responses while earlier ones still wait. Some of those never get one: their bodies do not end, or
    // they wait for a key.
    for (let last = -1; last !== heard; ) {
      last = heard
      for (let i = 0; i < 3; i++) expect(await askApart(port)).toContain('{"result":"after them"}')
    }
    for (const socket of sockets) socket.destroy()
  }
  expect(failed).toEqual([])
  expect(answered).toBeGreaterThan(sent / 2)
  // Clients that disconnected while they waited leave nothing behind.
  await expect.poll(() => [dev.engine.clients.size, dev.engine.waiters.count]).toEqual([clients, 0])
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(256 * 1024 * 1024)
}, 600_000)
