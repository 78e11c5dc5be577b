/** A body as it arrives. */
export interface GatewayBody {
  /** The next piece; undefined after the last. Rejects when the client went away. */
  next(): Promise<Uint8Array | undefined>
  /** Reads no more of it. */
  cancel(): Promise<void>
}

/** A request without the objects of fetch, for a server that has none. */
export interface GatewayRequest {
  readonly method: string
  /** As it was sent: `/set/key?EX=100`. */
  readonly target: string
  /** By its name in lower case. */
  header(name: string): string | null | undefined
  /** `null`: it has none. */
  readonly body: GatewayBody | null
}

export interface GatewayAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /**
   * A large answer, and one of server-sent events, is a stream: read it at the client's pace, and cancel it when the
   * client goes away. The bytes of a large answer count as held until then.
   */
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null
}

export const JSON_TYPE = 'application/json'

export function json(status: number, body: unknown, headers: Record<string, string> = {}): GatewayAnswer {
  return { status, headers: { 'content-type': JSON_TYPE, ...headers }, body: JSON.stringify(body) }
}
