/** A version that clients know, and whose replies are meant. */
export const VERSION = '8.0.6'
