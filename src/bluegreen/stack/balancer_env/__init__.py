"""The old balancer's environment variables, translated to today's HAProxy.

Docker Cloud's balancer was configured by environment variables, of its own and of the services
linked to it. :mod:`table` lists all of them, what they become and, where they become nothing, why.
"""
