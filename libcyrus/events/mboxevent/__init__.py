"""Message store events (RFC 5423, and Cyrus's own): what happens to mail, told to notifyd as JSON.

``kinds`` has the types of events, ``params`` what each of them carries, ``event`` one event and its text,
``sender`` the configuration and the way to notifyd. All of it takes plain values; what they are, the layers
above say (``libcyrus.mailbox.telling`` for mailboxes and messages).
"""
