"""What a daemon owes those who run it: metrics, health, messages to the service manager, a log, a
limit on its reading.

Promises: no module here knows the loop, which reports to them and asks them. Nothing that comes out
holds a token.
"""
