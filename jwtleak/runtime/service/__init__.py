"""What a daemon owes those who run it: metrics, health, words to the service manager, a log, a
limit on its reading.

Promises: no module here knows the loop; each is told what happened, or asked. Nothing that comes
out holds a token.
"""
