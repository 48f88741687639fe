-- Up Migration
--
-- Where a task is written. `task` is inserted once and never updated: what the client gave. While a task is not
-- finished its state is one narrow row of `unfinished`; at its end that row goes and one row of `finished` says how.
-- So the rows that change often carry no payload and no index that a claim or a settle would have to maintain (their
-- updates stay heap-only), and finding every unfinished task never reads a finished one.
-- The three large tables (task, finished, attempt) are partitioned by id (UUIDv7, so by time) with the same bounds.
-- All of it lies in the schema `nightshift`, which comes first in the search path here and of every connection of ours.

-- Which installation this database belongs to: part of the broker's topology and of every message, so that two of them
-- on one virtual host notice each other.
create table installation (
  id uuid primary key default gen_random_uuid(),
  made_at timestamptz not null default clock_timestamp(),
  is_only boolean not null default true unique check (is_only)
);
insert into installation default values;

create function id_floor(at timestamptz) returns uuid language sql immutable strict parallel safe
  as $$ select (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid $$;

-- Payloads, results and progress are `json`: kept as they were written, to the last digit, and not parsed again.
create table task (
  id uuid primary key,
  name text not null,
  queue text not null,
  client text not null,
  request_id text not null,
  trace_id text not null,
  traceparent text not null,
  tracestate text,
  user_id text,
  tags text[],
  payload json not null,
  max_attempts int check (max_attempts > 0),
  created_at timestamptz not null,
  run_at timestamptz,
  expires_at timestamptz,
  -- By which api process, how many waited in its queue then, under which idempotency key.
  accepted_by text,
  ahead int,
  idempotency_key text
) partition by range (id);

-- Clients choose their request, trace and user ids, so each look-up is bounded to one client's rows.
create index task_client on task (client, id);
create index task_request on task (request_id, client, id);
create index task_trace on task (trace_id, client, id);
create index task_user on task (client, user_id, id) where user_id is not null;
create index task_tags on task using gin (tags) where tags is not null;

create table unfinished (
  task_id uuid primary key,
  queue text not null,
  status text not null check (status in ('PENDING', 'RUNNING', 'RETRYING')),
  attempt int not null default 0 check (attempt >= 0),
  failures int not null default 0 check (failures >= 0),
  crashes int not null default 0 check (crashes >= 0),
  holder uuid,
  started_at timestamptz,
  deadline_at timestamptz,
  due_at timestamptz not null,
  offered_at timestamptz not null,
  -- When the message that began the attempt was published, by the clock of the api process that did it.
  published_at timestamptz,
  reoffers int not null default 0,
  expires_at timestamptz,
  progress json,
  check ((status = 'RUNNING') = (holder is not null)),
  check ((status = 'RUNNING') = (deadline_at is not null)),
  check ((status = 'RUNNING') = (started_at is not null)),
  check (status <> 'RETRYING' or failures > 0)
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

create index unfinished_offered on unfinished (queue, offered_at);
create index unfinished_expires on unfinished (expires_at) where expires_at is not null;

-- How a task ended, with its last attempt; `consumer` is null when it ended while none ran.
create table finished (
  task_id uuid primary key,
  status text not null check (status in ('SUCCESS', 'FAILED', 'CANCELLED')),
  attempt int not null,
  failures int not null,
  crashes int not null,
  result json,
  progress json,
  finished_at timestamptz not null,
  consumer uuid,
  started_at timestamptz,
  due_at timestamptz,
  published_at timestamptz,
  reoffers int,
  outcome text check (outcome in ('success', 'failure', 'crash', 'cancelled')),
  error jsonb,
  fingerprint text,
  check ((consumer is null) = (started_at is null)),
  check ((consumer is null) = (outcome is null))
) partition by range (task_id);

create index finished_at on finished using brin (finished_at) with (autosummarize = on);

-- The attempts before the last one.
create table attempt (
  task_id uuid not null,
  attempt int not null,
  consumer uuid not null,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  due_at timestamptz,
  published_at timestamptz,
  reoffers int,
  outcome text not null check (outcome in ('success', 'failure', 'handed_back', 'crash', 'cancelled')),
  error jsonb,
  fingerprint text,
  next_at timestamptz,
  primary key (task_id, attempt)
) partition by range (task_id);

-- Every attempt that has ended, for those who read; it shows whoever asks what the tables show them.
create view attempt_history with (security_invoker = true) as
  select task_id, attempt, consumer, started_at, ended_at, due_at, published_at, reoffers, outcome, error, fingerprint,
         next_at
    from attempt
   union all
  select task_id, attempt, consumer, started_at, finished_at, due_at, published_at, reoffers, outcome, error, fingerprint,
         null
    from finished where consumer is not null;

-- What must travel to the broker. Rows are few and short-lived; the due time of a delayed task waits here too.
create table outbox (
  id bigint generated always as identity primary key,
  task_id uuid not null,
  attempt int not null check (attempt > 0),
  queue text not null,
  rung_ms bigint not null default 0 check (rung_ms >= 0),
  alone boolean not null default false,
  created_at timestamptz not null,
  due_at timestamptz not null,
  claimed_until timestamptz not null default '-infinity',
  tries int not null default 0
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);

create index outbox_due on outbox (due_at);

create table idempotency (
  client text not null,
  key text not null,
  task_id uuid not null,
  hash text not null,
  expires_at timestamptz not null,
  primary key (client, key)
);

create index idempotency_expires on idempotency (expires_at);

-- One row per consumer life. `ended_at` is null while the lease may be renewed; an ended life stays for the history.
-- What it has begun and runs is written with every renewal: counting it from the tasks would read every waiting one,
-- because no index knows which of them run.
create table consumer (
  id uuid primary key,
  name text not null,
  version text not null,
  queues jsonb not null,
  tasks text[],
  started_at timestamptz not null default clock_timestamp(),
  lease_until timestamptz not null,
  ended_at timestamptz,
  ended_because text check (ended_because in ('told_to_stop', 'lease_lost', 'silent')),
  begun jsonb not null default '{}',
  newest_offered jsonb not null default '{}',
  running jsonb not null default '{}',
  running_since timestamptz
) with (fillfactor = 50);

comment on column consumer.tasks is 'The task types it can run.';
comment on column consumer.begun is 'How many attempts it has begun, by queue.';
comment on column consumer.newest_offered is 'When the newest of the tasks that it has begun was offered, by queue.';
comment on column consumer.running is 'Attempts under way by queue, at the last renewal.';
comment on column consumer.running_since is 'When the oldest of them was started; null when there is none.';

-- One row per api process; it counts as alive for some seconds after `seen_at`.
create table api_process (
  id uuid primary key,
  name text not null,
  seen_at timestamptz not null
) with (fillfactor = 50);

create table dead_letter (
  task_id uuid primary key,
  name text not null,
  queue text not null,
  client text not null,
  failed_at timestamptz not null,
  reason text not null check (reason in ('failures', 'non_retryable', 'invalid_payload', 'expired', 'crash')),
  error jsonb not null,
  fingerprint text not null
);

create index dead_letter_failed on dead_letter (failed_at);
create index dead_letter_fingerprint on dead_letter (fingerprint, failed_at);

-- Messages that could not be understood: the reason, and the first bytes to look at.
create table unreadable_message (
  id bigint generated always as identity primary key,
  queue text not null,
  received_at timestamptz not null default clock_timestamp(),
  reason text not null,
  body bytea not null
);

-- Who did what to which task by hand.
create table operation (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  action text not null check (action in ('redrive', 'cancel')),
  task_id uuid not null,
  request_id text not null,
  reason text
);

create index operation_task on operation (task_id);
-- A request may also have cancelled or redriven a task of another request.
create index operation_request on operation (request_id, task_id);

create table api_key (
  id text primary key,
  client text not null,
  hash bytea not null,
  scopes text[] not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz,
  revoked_at timestamptz
);

-- Who asked for how much: accepted and refused per client and task in ten seconds, kept for a day.
create table burst (
  at timestamptz not null,
  client text not null,
  task text not null,
  accepted bigint not null default 0,
  refused bigint not null default 0,
  primary key (at, client, task)
);

-- When an api process could not publish: one row for each time, kept as long as tasks are.
create table broker_absence (
  process text not null,
  since timestamptz not null,
  until timestamptz not null,
  state text not null check (state in ('away', 'blocked')),
  primary key (process, since)
);

create index broker_absence_until on broker_absence (until);

-- Makes one partition a day of every partitioned table, from the day of `first` to the day of `last`. Days are those of
-- UTC and have 24 hours, whatever the session's time zone. Each is made by itself and attached: that waits for no reader
-- and lets nobody wait, where `partition of` would lock the whole table.
create function ensure_partitions(first timestamptz, last timestamptz) returns int language plpgsql as $$
declare
  parent text;
  part text;
  day timestamp;
  made int := 0;
begin
  perform set_config('lock_timeout', '100ms', true);
  perform pg_advisory_xact_lock(hashtext('nightshift partitions'));
  for day in
    select generate_series(date_trunc('day', first at time zone 'UTC'), last at time zone 'UTC', interval '1 day')
  loop
    foreach parent in array array['task', 'finished', 'attempt'] loop
      part := parent || '_' || to_char(day, 'YYYYMMDD');
      if to_regclass(format('nightshift.%I', part)) is null then
        execute format('create table nightshift.%I (like nightshift.%I including defaults including constraints
                          including storage)', part, parent);
        execute format('alter table nightshift.%I attach partition nightshift.%I for values from (%L) to (%L)', parent,
          part, nightshift.id_floor(day at time zone 'UTC'),
          nightshift.id_floor((day + interval '1 day') at time zone 'UTC'));
        made := made + 1;
      end if;
    end loop;
  end loop;
  return made;
end $$;

-- Fails a statement whose keys were taken by another at the same moment; the caller repeats it and then sees them.
create function all_keys_taken(wanted bigint, taken bigint) returns boolean language plpgsql as $$
begin
  if wanted <> taken then
    raise exception 'an idempotency key was taken by a concurrent request' using errcode = 'NS001';
  end if;
  return true;
end $$;

select ensure_partitions(clock_timestamp() - interval '1 day', clock_timestamp() + interval '8 days');

-- Whoever reads on behalf of a client does so as the role `nightshift_reader`, for which every table that tells of tasks
-- shows only the rows of the client named by the setting `nightshift.client` (or all, when `nightshift.sees_all` is on).
-- So a query that forgets its condition shows nothing of others. Both settings are set for one transaction at a time;
-- where they are not set, no row is seen.
do $$
begin
  if not exists (select from pg_roles where rolname = 'nightshift_reader') then
    begin
      create role nightshift_reader nologin;
    exception
      -- unique_violation: another database of this server is migrated at this moment.
      when duplicate_object or unique_violation then null;
      when insufficient_privilege then
        raise exception 'the role nightshift_reader is missing and % may not create it', current_user
          using hint = format('let an administrator run: create role nightshift_reader nologin; grant nightshift_reader to %I;', current_user);
    end;
  end if;
  -- From PostgreSQL 16 on whoever makes a role may not act as it by that alone.
  if current_setting('server_version_num')::int >= 160000 then
    if not pg_has_role(current_user, 'nightshift_reader', 'SET') then
      execute format('grant nightshift_reader to %I with set true', current_user);
    end if;
  elsif not pg_has_role(current_user, 'nightshift_reader', 'MEMBER') then
    execute format('grant nightshift_reader to %I', current_user);
  end if;
end $$;

do $$
declare
  shown text;
begin
  foreach shown in array array['task', 'unfinished', 'finished', 'attempt', 'dead_letter', 'operation'] loop
    execute format('grant select on %I to nightshift_reader', shown);
    execute format('alter table %I enable row level security', shown);
  end loop;
  foreach shown in array array['unfinished', 'finished', 'attempt', 'dead_letter', 'operation'] loop
    -- The policy of `task` holds inside this one too.
    execute format('create policy own on %I for select to nightshift_reader
      using (exists (select from task t where t.id = task_id))', shown);
  end loop;
end $$;

grant usage on schema nightshift to nightshift_reader;
grant select on consumer, attempt_history to nightshift_reader;

create policy own on task for select to nightshift_reader
  using (current_setting('nightshift.sees_all', true) = 'on' or client = current_setting('nightshift.client', true));

-- Down Migration
-- Migrations are only ever added.
