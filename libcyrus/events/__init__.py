"""What a change of a mailbox sets off, and how those who wait for it learn of it. Takes plain values only."""
