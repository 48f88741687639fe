/** What a pack imports: contracts, handlers, the pack itself, errors and durations. */
export * from './contract.ts'
export * from './duration.ts'
export * from './errors.ts'
export * from './handler.ts'
export * from './pack.ts'
