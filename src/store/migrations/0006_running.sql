-- Up Migration
--
-- What each consumer life runs, as the table of tasks tells it, written with every renewal of its lease: counting it from
-- the tasks would read every waiting one, because no index knows which of them run.
alter table consumer add column running jsonb not null default '{}';
alter table consumer add column running_since timestamptz;

comment on column consumer.running is 'Attempts under way by queue, at the last renewal.';
comment on column consumer.running_since is 'When the oldest of them was started; null when there is none.';

-- Down Migration
-- Migrations are only ever added.
