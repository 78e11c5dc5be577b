/**
 * The part of an ioredis client this adapter touches: ioredis 5 and 6, iovalkey, their `Cluster` and their Sentinel
 * mode have it. The package itself is never imported for it.
 */
export interface IoredisLike {
  readonly status: string
  /** Read once, when the adapter is built. */
  readonly options: object
  readonly isCluster?: boolean
  /** `normal`, `subscriber` or `monitor`; absent on a Cluster. */
  readonly mode?: string
  call(command: string, args: (string | number)[]): Promise<unknown>
  callBuffer(command: string, args: (string | number)[]): Promise<unknown>
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  connect(): Promise<void>
  quit(): Promise<unknown>
  disconnect(reconnect?: boolean): void
  duplicate(): IoredisLike
  on(event: string, listener: (...args: unknown[]) => void): unknown
  off(event: string, listener: (...args: unknown[]) => void): unknown
}

/** What a client has beyond its public type. Each part is optional: the adapter works without it. */
export interface Peer extends IoredisLike {
  readonly options: {
    readonly host?: string
    readonly port?: number
    readonly [option: string]: unknown
  }
  readonly stream?: { cork?(): void; uncork?(): void; destroy?(): void } | null
  get?(key: string): Promise<unknown>
  ping?(): Promise<unknown>
  subscribe(...channels: string[]): Promise<unknown>
  /** `override`: options of the new client, on a single server or one node. */
  duplicate(override?: object): IoredisLike
  nodes?(role?: string): Peer[]
  /** By hash slot: the keys (`host:port`) of the nodes that serve it, the primary first. */
  readonly slots?: string[][]
  refreshSlotsCache?(done: () => void): void
  /** An internal field of a Cluster: the connections to its nodes, made as they are needed. */
  readonly connectionPool?: { findOrCreate?(node: { host: string; port: number }): Peer }
}

/** The `host:port` at which the client reaches this server. */
export function nameOf({ options }: Peer): string {
  return `${options.host}:${options.port}`
}
