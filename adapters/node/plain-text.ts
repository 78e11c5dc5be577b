import { connect } from 'node:net'

const PROBE_MS = 1000

/** Whether the server of a TLS url speaks Redis without TLS. Sends it a PING, and nothing else. */
export function answersInPlainText(url: string): Promise<boolean> {
  const { protocol, hostname, port } = new URL(url.trim())
  if (!/^(rediss|valkeys):$/.test(protocol) || !hostname) return Promise.resolve(false)
  return new Promise((resolve) => {
    const socket = connect(Number(port || 6379), hostname.replace(/^\[|\]$/g, ''))
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(PROBE_MS, () => end(false))
    socket.on('connect', () => socket.write('PING\r\n'))
    // `+PONG`, or an error such as `-NOAUTH`. A TLS server sends bytes that are neither.
    socket.on('data', (data) => end(/^(\+PONG|-[A-Z]+ )/.test(data.toString('latin1'))))
    socket.on('error', () => end(false))
    socket.on('close', () => end(false))
  })
}
