/** The pack `conversation`: what follows when a user and a bot have stopped talking. */
import { definePack } from 'nightshift-tasks'
import { conversationEnded } from './contract.ts'

export default definePack({
  name: 'conversation',
  contracts: [conversationEnded],
  routes: [
    {
      method: 'post',
      path: '/api/v1/conversations/end',
      task: conversationEnded.name,
      summary: 'Tell that a conversation has ended',
    },
  ],
  migrations: new URL('../migrations/', import.meta.url),
})
