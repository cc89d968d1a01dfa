"""idled(8): wakes those who idle in a mailbox when it changes."""
