export { createTokens, type TokenCall, type Tokens, type TokensOptions } from './create-tokens.ts'
