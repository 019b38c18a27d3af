"""Delivery: from the outbox to the sinks, one thread for each, until every alert was taken or put
aside.
"""
