export {
  createGateway,
  type Gateway,
  type GatewayAnswer,
  type GatewayEvent,
  type GatewayOptions,
  type GatewayRequestEvent,
  type GatewayTokens,
} from './gateway.ts'
export type { GatewayBody, GatewayRequest } from './request.ts'
export { createScriptFlags, type Translated } from './scripts.ts'
export type { GatewayRole, GatewayToken } from './tokens.ts'
