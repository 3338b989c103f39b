"""How a driver runs its program in a container as if it were a process of the box.

Shared by the drivers of balancers, which do not know each other. Rule: nothing here knows a program; what
is to be said of one comes from its driver as a :class:`~bluegreen.drivers.containers.engine_api.Tenant`.
"""
