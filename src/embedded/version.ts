/** The version that the engine reports, and whose replies it gives. */
export const VERSION = '8.0.6'
