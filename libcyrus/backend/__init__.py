"""The client side of the suite's protocols: one connection to a server, up to the point where commands begin.

``dialects`` knows how each protocol greets, lists its capabilities, starts TLS, authenticates and
compresses; ``peer`` is a connection that does these things in order, for any of them; ``connect`` finds
the address and opens the socket, and reads the options that say how to log in to other servers.
"""
