"""The scripts of users on disk, as the original keeps them.

A script is a message in the user's hidden mailbox ``#sieve`` (option ``sieve_folder``, type "f") with a row
in ``dav.db``; the flag ``\\Flagged`` and the row say which one is active. What lmtpd runs is in the directory
``sievedir/...``: ``NAME.bc``, the bytecode, and the link ``defaultbc`` to the active one. Earlier versions
kept the text there too, as ``NAME.script``; such files move into ``#sieve`` when that is made.

``store`` does all this; ``directory`` is the part in ``sievedir``, ``mailfile`` the message; ``recover``
makes rows anew; ``default`` is the script that a new user gets.
"""
