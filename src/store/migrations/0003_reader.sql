-- Up Migration
--
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
      when duplicate_object then null;
      when insufficient_privilege then
        raise exception 'the role nightshift_reader is missing and % may not create it', current_user
          using hint = format('let an administrator run: create role nightshift_reader nologin; grant nightshift_reader to %I;', current_user);
    end;
  end if;
  if not pg_has_role(current_user, 'nightshift_reader', 'member') then
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

grant select on consumer to nightshift_reader;

create policy own on task for select to nightshift_reader
  using (current_setting('nightshift.sees_all', true) = 'on' or client = current_setting('nightshift.client', true));

-- Down Migration
-- Migrations are only ever added.
