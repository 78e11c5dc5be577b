/** The package, where a program brings it. In Node `#lua-runtime` leads to the copy that the build put into `dist`. */
export { LuaWasmEngine } from 'lua-redis-wasm'
