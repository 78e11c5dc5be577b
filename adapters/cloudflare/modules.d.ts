declare module 'cloudflare:workers' {
  /** Since August 2025. Throws outside a request. */
  export function waitUntil(work: Promise<unknown>): void
  export const env: unknown
  export class DurableObject {
    constructor(state: DurableObjectState, env: unknown)
  }
}

interface SqlStorage {
  exec(query: string, ...values: (string | number)[]): { toArray(): Record<string, unknown>[] }
}

interface DurableObjectState {
  readonly storage: { readonly sql: SqlStorage }
}

declare module 'cloudflare:sockets' {
  export interface Socket {
    readonly readable: ReadableStream<Uint8Array>
    readonly writable: WritableStream<Uint8Array>
    readonly opened: Promise<unknown>
    close(): Promise<void>
  }
  export function connect(
    address: { readonly hostname: string; readonly port: number },
    options: { readonly secureTransport: 'on' | 'off'; readonly allowHalfOpen: boolean },
  ): Socket
}
