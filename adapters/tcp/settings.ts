import type { RedisAddress } from '../../src/store/redis-url.ts'

/** What proves a server and what proves a client, as `node:tls` takes it: PEM text, or bytes. */
export interface TlsOptions {
  readonly ca?: string | Uint8Array | (string | Uint8Array)[]
  readonly cert?: string | Uint8Array
  readonly key?: string | Uint8Array
  /** The name the server's certificate is for. @default the url's host */
  readonly servername?: string
  /** `false` takes any certificate: for development alone. @default true */
  readonly rejectUnauthorized?: boolean
}

export interface FoundAddress extends RedisAddress {
  /** No connection was opened to it. */
  readonly onMisled?: () => void
}

/** What a connection needs to know, checked. */
export interface Settings {
  readonly address: RedisAddress
  /** Finds the address anew for each connection, where it may change (Sentinel). @default `address` */
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
  /** A reply came after its caller had left. */
  onLate(command: string): void
  /** The server said that it is a node of a Cluster. */
  onCluster(): void
}
