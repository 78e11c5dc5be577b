/** The package, where a program installs it. In Node `#lua-runtime` resolves to the copy that the build put into `dist`. */
export { LuaWasmEngine } from 'lua-redis-wasm'
