"""What the server shows of itself, each as a kind of mount: metrics, status, readiness.

The handlers get their values from whoever knows them, and see neither scoreboard nor process.
"""
