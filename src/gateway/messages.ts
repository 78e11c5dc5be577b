/** A request body as it arrives. */
export interface GatewayBody {
  /** The next piece; undefined after the last. Rejects if the client has disconnected. */
  next(): Promise<Uint8Array | undefined>
  /** Stops reading. */
  cancel(): Promise<void>
}

/** A request in place of fetch's Request, for a server that has none. */
export interface GatewayRequest {
  readonly method: string
  /** Path and query as they were sent: `/set/key?EX=100`. */
  readonly target: string
  /** A header by its name in lower case. */
  header(name: string): string | null | undefined
  /** `null`: the request has no body. */
  readonly body: GatewayBody | null
}

/** `Uint8Array<ArrayBuffer>`, in words that TypeScript before 5.7 reads too. */
type Bytes = ReturnType<Uint8Array['slice']>

export interface GatewayAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /**
   * A large response, and one of server-sent events, is a stream. Read it at the client's pace, and cancel it when the client
   * disconnects. The bytes of a large response count as held until then.
   */
  readonly body: string | Bytes | ReadableStream<Uint8Array> | null
}

export const JSON_TYPE = 'application/json'

export function json(status: number, body: unknown, headers: Record<string, string> = {}): GatewayAnswer {
  return { status, headers: { 'content-type': JSON_TYPE, ...headers }, body: JSON.stringify(body) }
}
