-- Up Migration
--
-- Where a task is written. `task` is inserted once and never updated: what the client gave. While a task is not
-- finished its state is one narrow row of `unfinished`; at its end that row goes and one row of `finished` says how.
-- So the rows that change often carry no payload and no index that a claim or a settle would have to maintain (their
-- updates stay heap-only), and finding every unfinished task never reads a finished one.
-- The three large tables (task, finished, attempt) are partitioned by id (UUIDv7, so by time) with the same bounds.

create function id_floor(at timestamptz) returns uuid language sql immutable strict parallel safe
  as $$ select (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid $$;

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
  payload jsonb not null,
  max_attempts int check (max_attempts > 0),
  created_at timestamptz not null,
  run_at timestamptz,
  expires_at timestamptz
) partition by range (id);

create index task_request on task (request_id);
create index task_client on task (client, id);
create index task_user on task (user_id, id) where user_id is not null;
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
  reoffers int not null default 0,
  expires_at timestamptz,
  progress jsonb,
  check ((status = 'RUNNING') = (holder is not null)),
  check ((status = 'RUNNING') = (deadline_at is not null)),
  check (status <> 'RETRYING' or failures > 0)
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

create index unfinished_offered on unfinished (queue, offered_at);
create index unfinished_expires on unfinished (expires_at) where expires_at is not null;

create table finished (
  task_id uuid primary key,
  status text not null check (status in ('SUCCESS', 'FAILED', 'CANCELLED')),
  attempt int not null,
  failures int not null,
  crashes int not null,
  result jsonb,
  progress jsonb,
  finished_at timestamptz not null
) partition by range (task_id);

create index finished_at on finished using brin (finished_at) with (autosummarize = on);

create table attempt (
  task_id uuid not null,
  attempt int not null,
  consumer uuid not null,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  outcome text not null check (outcome in ('success', 'failure', 'handed_back', 'crash', 'cancelled')),
  error jsonb,
  fingerprint text,
  next_at timestamptz,
  primary key (task_id, attempt)
) partition by range (task_id);

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
create table consumer (
  id uuid primary key,
  name text not null,
  version text not null,
  queues jsonb not null,
  started_at timestamptz not null default clock_timestamp(),
  lease_until timestamptz not null,
  ended_at timestamptz
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

create table api_key (
  id text primary key,
  client text not null,
  hash bytea not null,
  scopes text[] not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz,
  revoked_at timestamptz
);

-- Makes one partition a day (UTC) of every partitioned table, from the day of `first` to the day of `last`.
create function ensure_partitions(first timestamptz, last timestamptz) returns int language plpgsql as $$
declare
  parent text;
  day timestamptz;
  made int := 0;
begin
  day := date_trunc('day', first, 'UTC');
  while day <= last loop
    foreach parent in array array['task', 'finished', 'attempt'] loop
      if to_regclass(format('%I', parent || '_' || to_char(day at time zone 'UTC', 'YYYYMMDD'))) is null then
        execute format('create table %I partition of %I for values from (%L) to (%L)',
          parent || '_' || to_char(day at time zone 'UTC', 'YYYYMMDD'), parent,
          id_floor(day), id_floor(day + interval '1 day'));
        made := made + 1;
      end if;
    end loop;
    day := day + interval '1 day';
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

-- Down Migration
-- Migrations are only ever added.
