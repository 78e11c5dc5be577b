import type { RedisAddress } from '../../src/store/redis-url.ts'

/** Certificates of the server and the client, as `node:tls` takes them: PEM text, or bytes. */
export interface TlsOptions {
  readonly ca?: string | Uint8Array | (string | Uint8Array)[]
  readonly cert?: string | Uint8Array
  readonly key?: string | Uint8Array
  /** The name the server's certificate is for. @default the url's host */
  readonly servername?: string
  /** `false` accepts any certificate: for development only. @default true */
  readonly rejectUnauthorized?: boolean
}

export interface FoundAddress extends RedisAddress {
  /** Called when no connection could be opened to the address. */
  readonly onMisled?: () => void
}

/** The checked settings of a connection. */
export interface Settings {
  readonly address: RedisAddress
  /** Looks up the address for each connection, if it may change (Sentinel). @default `address` */
  readonly locate?: () => Promise<FoundAddress>
  readonly tls: TlsOptions
  readonly protocol: 2 | 3
  /** The connection is for reads from a replica of a Cluster. */
  readonly readonly?: boolean
  /** The connection ends unless the server is a primary. */
  readonly primary?: boolean
  readonly connectTimeoutMs: number
  readonly linkTimeoutMs: number
  readonly maxQueue: number
  readonly maxReplyBytes: number
  readonly maxCallBytes: number
  readonly maxTotalReplyBytes: number | undefined
  /** Called when a reply comes after its caller has left. */
  onLate(command: string): void
  /** Called when a server says that it is a node of a Cluster. */
  onCluster(): void
}
