"""Searching mail: what is asked (`expr`), how it is answered for one selected mailbox (`evaluate`)."""
