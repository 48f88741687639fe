-- Up Migration
--
-- One row per conversation that was counted (the primary key makes a repeat a no-op for ever), one per user with the
-- friendship (the row that serialises the user's events), the score with each bot, the topics talked about, and the
-- user's ready-made list of candidates: the bots to offer first. The pack's schema comes first in the search path here.

create table conversation (
  id text primary key,
  task_id uuid not null,
  user_id text not null,
  bot_id text not null,
  score_change int not null,
  counted_at timestamptz not null default clock_timestamp()
);

create table friendship_status (
  user_id text primary key,
  score int not null default 0,
  status text not null default 'stranger' check (status in ('stranger', 'acquaintance', 'friend', 'close_friend')),
  conversations int not null default 0,
  updated_at timestamptz not null default clock_timestamp()
);

create table bot_affinity (
  user_id text not null,
  bot_id text not null,
  score int not null default 0,
  primary key (user_id, bot_id)
);

create table topic_metric (
  user_id text not null,
  topic text not null,
  mentions int not null default 0,
  primary key (user_id, topic)
);

create table candidate_cache (
  user_id text primary key,
  candidates jsonb not null,
  computed_at timestamptz not null default clock_timestamp()
);

-- Down Migration
-- Migrations are only ever added.
