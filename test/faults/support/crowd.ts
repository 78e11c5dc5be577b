/**
 * A process of clients that burden a gateway: `node crowd.ts PORT TOKEN`. It opens 1,000 slow clients and prints `slow`. At a
 * line on its input it opens 1,000 clients that disconnect, one a millisecond, and prints `gone`. It exits when its input ends.
 */
import { connect, type Socket } from 'node:net'

const [port = '', token = ''] = process.argv.slice(2)
const head = (length: number): string =>
  `POST / HTTP/1.1\r\nhost: h\r\nauthorization: Bearer ${token}\r\ncontent-length: ${length}\r\n\r\n`
const big = '["GET","big"]'
const dial = (): Promise<Socket> =>
  new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () => resolve(socket)).on('error', () => resolve(socket))
  })
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const slow: Socket[] = []
for (let i = 0; i < 1000; i++) {
  const socket = await dial()
  // Half of the clients send a body of one byte now and then; the others never read their response.
  if (i % 2 === 0) socket.write(`${head(10_000)}["ECHO","`)
  else socket.pause().write(head(big.length) + big)
  slow.push(socket)
}
let turn = 0
setInterval(() => {
  turn = (turn + 1) % 10
  for (let i = turn * 2; i < slow.length; i += 20) slow[i]?.write('x')
}, 50)
console.log('slow')

process.stdin.on('end', () => process.exit(0))
process.stdin.on('data', async () => {
  for (let i = 0; i < 1000; i++) {
    const socket = await dial()
    socket.write(i % 2 === 0 ? `${head(100)}["INCR",` : `${head(15)}["INCR","gone"]`)
    setTimeout(() => socket.resetAndDestroy(), i % 20)
    await pause(1)
  }
  console.log('gone')
})
