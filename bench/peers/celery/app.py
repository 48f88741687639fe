"""Celery as its own documentation has it for work that must not be lost: late acks, publisher confirms, durable queue.

A worker of two processes (prefork, one for each core) that prefetches 64 messages each; what a worker does beside its
work (remote control, gossip, mingle, heartbeat) is off. The queue is classic: this version cannot use a quorum queue.
"""
import os
import time

from celery import Celery
from celery.signals import worker_ready

NOTES = os.environ["BENCH_NOTES"]

app = Celery("bench", broker=os.environ["AMQP_URL"], backend=os.environ["RESULT_URL"])
app.conf.update(
    broker_transport_options={"confirm_publish": True},
    broker_pool_limit=16,
    task_acks_late=True,
    task_default_delivery_mode="persistent",
    worker_prefetch_multiplier=64,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    result_extended=False,
    # Without it a result backend of SQLAlchemy opens a connection for every result.
    database_short_lived_sessions=False,
)


def note(name):
    """Writes the time into a file, unless another process was first."""
    try:
        with open(os.path.join(NOTES, name), "x", encoding="ascii") as file:
            file.write(repr(time.time() * 1000))
    except FileExistsError:
        pass


has_begun = False


@app.task(name="echo")
def echo(payload):
    """Returns its payload; the first one notes when it began."""
    global has_begun
    if not has_begun:
        has_begun = True
        note("first-start")
    return payload


@worker_ready.connect
def ready(**_):
    note("ready")
