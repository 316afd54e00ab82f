"""Serve the dashboard pages of this project at http://localhost:8080/dashboard/live.html.

In the foreground it runs until Ctrl-C; `--background` leaves it running after the terminal is closed. It
listens on this computer only. To watch from another computer: ssh -L 8080:127.0.0.1:8080 USER@THIS-COMPUTER

Reads    logs/pipeline_live_state.json, logs/runs/, results/dashboard.json
Writes   logs/dashboard_server.pid (while it runs), logs/dashboard_server.log (--background)
Exit     0 done or running already · 1 not running (--status) · 2 wrong usage, port in use · 75 no free port
"""

import sys

from bootstrap import ensure

if __name__ == "__main__":
    ensure(__file__)
    from nightforge.web.command import main

    sys.exit(main(__doc__))
