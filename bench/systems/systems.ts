// The systems by name.

import { createCelery } from './celery.ts'
import type { SystemName } from './names.ts'
import { createNightshift } from './nightshift.ts'
import { createPeerSystem, type PeerUse } from './peer-system.ts'
import type { System } from './system.ts'

const TRACED = { 'nightshift-traced-1': 0.01, 'nightshift-traced-100': 1 } as const

type Other = 'nightshift' | keyof typeof TRACED | 'celery-redis' | 'celery-db'

const PEERS: Readonly<Record<Exclude<SystemName, Other>, Omit<PeerUse, 'name'>>> = {
  'bullmq-always': { peer: 'bullmq-redis', uses: 'redis-always' },
  'bullmq-everysec': { peer: 'bullmq-redis', uses: 'redis-everysec' },
  'bullmq-postgres': { peer: 'bullmq-postgres', uses: 'postgres' },
  'pg-boss': { peer: 'pg-boss', uses: 'postgres' },
  'graphile-worker': { peer: 'graphile-worker', uses: 'postgres' },
  amqplib: { peer: 'amqplib', uses: 'rabbitmq' },
  express: { peer: 'express', uses: 'nothing' },
}

/** @param profileFolder where Nightshift's processes write CPU profiles; none when undefined */
export function createSystem(name: SystemName, profileFolder: string | undefined): System {
  if (name === 'nightshift') return createNightshift(name, profileFolder)
  if (name === 'nightshift-traced-1' || name === 'nightshift-traced-100') {
    return createNightshift(name, profileFolder, TRACED[name])
  }
  if (name === 'celery-redis' || name === 'celery-db') return createCelery(name)
  const peer = PEERS[name]
  return createPeerSystem({ name, ...peer })
}
