// What the invented users and bots of the demo say. `{x}` is replaced by one of the topic's things.

export interface Topic {
  readonly name: string
  readonly things: readonly string[]
  readonly asks: readonly string[]
  readonly answers: readonly string[]
}

export const TOPICS: readonly Topic[] = [
  {
    name: 'music',
    things: ['jazz piano', 'old soul records', 'film scores', 'a string quartet', 'synth pop', 'the new album'],
    asks: ['Can you suggest {x} for a rainy evening?', 'I had {x} on all day.', 'Is {x} hard to get into?'],
    answers: ['Start with something slow, then {x}.', 'Then you may like {x} as well.', 'Many people find {x} first.'],
  },
  {
    name: 'travel',
    things: ['a night train', 'the coast in spring', 'a week of hiking', 'Lisbon', 'the islands', 'a long weekend'],
    asks: ['I am planning {x}.', 'Is {x} worth it in the low season?', 'My trip is off, no {x} for me.'],
    answers: ['Book {x} early, the good rooms go first.', 'For {x} I would pack light.', 'There is always {x}.'],
  },
  {
    name: 'cooking',
    things: ['sourdough', 'a lentil stew', 'dumplings', 'roasted squash', 'fresh pasta', 'a birthday cake'],
    asks: ['My {x} turned out flat again.', 'How long does {x} take?', 'I made {x} for the first time!'],
    answers: ['Give {x} more time than the recipe says.', 'With {x}, salt comes last.', 'Try {x} with lemon.'],
  },
  {
    name: 'work',
    things: ['the release', 'my review', 'the interview', 'a hard meeting', 'the new team', 'the deadline'],
    asks: ['I am nervous about {x}.', '{x} went better than I feared.', 'How do I prepare for {x}?'],
    answers: ['Write down three things about {x} first.', 'Tell me how {x} began.', 'After {x}, take a walk.'],
  },
  {
    name: 'sleep',
    things: ['a short nap', 'the early alarm', 'a noisy street', 'strange dreams', 'late coffee'],
    asks: ['I could not sleep because of {x}.', 'Does {x} help?', 'I blame {x} for this morning.'],
    answers: ['Many people notice {x}.', 'Leave {x} out for a week and see.', 'With {x}, a dark room helps.'],
  },
  {
    name: 'pets',
    things: ['the cat', 'our old dog', 'a shy parrot', 'the rescue kitten', 'two goldfish'],
    asks: ['{x} will not eat today.', 'Look what {x} did to the sofa.', 'Should {x} sleep in my room?'],
    answers: ['Give {x} a quiet corner.', 'That sounds like {x}.', 'A vet can look at {x} within a day.'],
  },
  {
    name: 'books',
    things: ['a ghost story', 'the trilogy', 'a thin novel', 'that biography', 'a book of letters'],
    asks: ['I finished {x} in one night.', 'Is {x} any good?', 'I gave up on {x} halfway.'],
    answers: ['If you liked {x}, read the next one soon.', 'Keep {x} for the train.', 'Nobody must finish {x}.'],
  },
  {
    name: 'sport',
    things: ['a slow run', 'the climbing hall', 'the final', 'swimming', 'a bike tour'],
    asks: ['My knee hurts after {x}.', 'We watched {x} together.', 'I signed up for {x}.'],
    answers: ['Warm up before {x}.', 'How was {x} for you?', 'Rest a day after {x}.'],
  },
]

/** How a conversation ends, from cold to warm, with the sentiment that an analysis would give it. */
export const ENDINGS: readonly (readonly [text: string, sentiment: number])[] = [
  ['That was no help at all.', -0.9],
  ['You are not listening to me.', -0.65],
  ['Never mind, I will ask somebody else.', -0.4],
  ['I have to go.', -0.1],
  ['Okay.', 0],
  ['Fine, let us talk tomorrow.', 0.2],
  ['That makes sense, thanks.', 0.45],
  ['Good idea, I will try it tonight.', 0.6],
  ['You always know what to say!', 0.85],
  ['This made my day. Thank you!', 1],
]

export const BOTS = ['luna', 'otto', 'mira', 'kai', 'fern', 'basil', 'nova', 'iris']
