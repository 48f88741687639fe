/** What a pack imports: contracts, handlers, errors and durations. */
export * from './contract.ts'
export * from './duration.ts'
export * from './errors.ts'
export * from './handler.ts'
