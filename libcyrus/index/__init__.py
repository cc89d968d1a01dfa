"""The IMAP view of a mailbox: message numbers, what the client was told, and the commands that use them.

`updates` holds the seam between this package and a front end. The package never writes to a client:
it returns values, and the front end's response writer spells them.
"""
