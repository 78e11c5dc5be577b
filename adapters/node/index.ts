export { type Served, type ServeOptions, serve } from './serve.ts'
export { type StartedGateway, type StartGatewayOptions, startGateway } from './start-gateway.ts'
export { parseTokens, type TokenFile, tokensFromFile } from './tokens.ts'
