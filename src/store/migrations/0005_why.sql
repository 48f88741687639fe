-- Up Migration
--
-- Facts for the sentence why, each written by a statement that wrote its row anyway.

-- How a task came in: by which api process, how many waited in its queue then, under which idempotency key.
alter table task add column accepted_by text, add column ahead int, add column idempotency_key text;

-- A trace leads to its tasks. A hash index, because only equality is asked for: it is a third of a B-tree's size.
create index task_trace on task using hash (trace_id);

-- When the message that began the attempt was published, by the clock of the api process that did it.
alter table unfinished add column published_at timestamptz;
alter table attempt add column due_at timestamptz, add column published_at timestamptz, add column reoffers int;

-- What a consumer can run, and why its life ended: told to stop, its lease lost, or silent until the auditor ended it.
alter table consumer
  add column tasks text[],
  add column ended_because text check (ended_because in ('told_to_stop', 'lease_lost', 'silent'));

-- A request may also have cancelled or redriven a task of another request.
create index operation_request on operation (request_id);

-- When an api process could not publish: one row for each time, kept as long as tasks are.
create table broker_absence (
  process text not null,
  since timestamptz not null,
  until timestamptz not null,
  state text not null check (state in ('away', 'blocked')),
  primary key (process, since)
);

create index broker_absence_until on broker_absence (until);

-- Down Migration
-- Migrations are only ever added.
