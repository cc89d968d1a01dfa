"""Sieve in delivery: a user's active script runs over a message, and what it wants is done.

``scripts``  finding and loading compiled scripts
``message``  the message as a script sees it, edits included
``host``     what a script may ask of the mail store and the server
``perform``  keeping, filing, passing on, refusing, answering
``replies``  the mails that are sent
``snooze``   when a snoozed message comes back
"""
