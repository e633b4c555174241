"""What the server shows of itself, each as a kind of mount: metrics, status, readiness.

    metrics.py     for Prometheus; exposition.py: in its words
    status.py      for people; page.py and script.py: what their browser gets
    readiness.py   for balancers and supervisors
    audience.py    who may see it
    view.py        what is asked of whoever watches the server

The handlers get their values from whoever knows them, and see neither scoreboard nor process.
"""
