export { HitherObject } from '../../../adapters/cloudflare/index.ts'

const worker: { fetch(): Response } = { fetch: () => new Response('hither') }
export default worker
