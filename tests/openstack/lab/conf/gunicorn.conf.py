"""How every WSGI service of the stack is served.

The services parse the command line themselves, so gunicorn is started
without arguments and takes everything from the environment.
"""

import gc
import os
from typing import Any

_name = os.environ["LAB_SERVICE"]
_state = os.environ["LAB_STATE"]

wsgi_app = os.environ["LAB_APP"]
bind = os.environ["LAB_BIND"]
workers = 1
worker_class = "gthread"
threads = int(os.environ.get("LAB_THREADS", "12"))
timeout = 300
# Nova asks Neutron for the ports of many servers in one long request line.
limit_request_line = 0
proc_name = _name
control_socket_disable = True
accesslog = f"{_state}/log/{_name}.access.log"
errorlog = f"{_state}/log/{_name}.out"


def post_worker_init(_worker: Any) -> None:
    """What was imported stays: the collector need not walk it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
