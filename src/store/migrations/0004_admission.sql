-- Up Migration
--
-- What the gateway needs to know how fast the work is done, how many gateways there are, and who floods them.

-- How many attempts a consumer life has begun, by queue; written with every renewal of its lease.
alter table consumer add column begun jsonb not null default '{}';

-- One row per api process; it counts as alive for some seconds after `seen_at`.
create table api_process (
  id uuid primary key,
  name text not null,
  seen_at timestamptz not null
) with (fillfactor = 50);

-- Who asked for how much: accepted and refused per client and task in ten seconds, kept for a day.
create table burst (
  at timestamptz not null,
  client text not null,
  task text not null,
  accepted bigint not null default 0,
  refused bigint not null default 0,
  primary key (at, client, task)
);

-- Down Migration
-- Migrations are only ever added.
