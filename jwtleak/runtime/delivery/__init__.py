"""Delivery: from the outbox to the sinks, one thread for each sink, until every alert is accepted
or a dead letter.
"""
