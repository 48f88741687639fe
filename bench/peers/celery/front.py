"""The HTTP front of Celery: Flask, one task per request, answered 202 when the broker has confirmed it."""
import threading
from itertools import count

from app import echo
from flask import Flask, request

server = Flask(__name__)
accepted = count()


@server.post("/tasks")
def post_task():
    echo.delay(request.get_json())
    next(accepted)
    return {"status": "PENDING"}, 202


@server.post("/fill/<int:tasks>")
def fill(tasks):
    """Stores many: there is no bulk call, so four threads do it one by one."""
    payload = request.get_json()

    def some(share):
        for _ in range(share):
            echo.delay(payload)
            next(accepted)

    threads = [threading.Thread(target=some, args=(tasks // 4 + (n < tasks % 4),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"stored": tasks}


@server.get("/accepted")
def how_many():
    # The counter's text is `count(17)`: reading it takes nothing from it.
    return {"accepted": int(repr(accepted)[6:-1])}
