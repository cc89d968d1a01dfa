"""Mailboxes on disk: ``cyrus.header``, ``cyrus.index``, ``cyrus.cache`` and the message files.

This docstring is the only home of the **lock order**. The original takes the
same locks in the same order, so both servers may work on one mailbox at once.
Take from the top down, and never a lock above one that you hold:

0. *Quota change lock*, the file ``lock/$QUOTACHANGE.lock``: while quota roots are made, moved with their
   user or counted anew; never for a delivery. (The original takes it below 1 when a user is renamed or
   made, and above 1 elsewhere, so there two such commands may end in an error.)
1. *User namespace lock*, the file ``lock/.../*U*USERID.lock`` (dots of the
   userid written ``^``; no userid for shared mailboxes). Exclusive to change
   anything of the user or to open one of the user's mailboxes for writing,
   shared to open one for reading. Held while the index is locked, given up
   with the index lock.
2. *Mailbox name lock*, the file ``lock/.../UNIQUEID.lock`` (the mailbox name
   for legacy directories). Shared as long as a mailbox is open, exclusive
   to create it, to remove its files and to repack it, so whoever holds it
   shared may rely on ``cyrus.index`` and ``cyrus.cache`` being only extended,
   never replaced. Given up by ``Mailbox.release``, and while the index is not locked also for a namespace
   lock that the process wants: who waits for a name may hold that.
3. *Index lock*: the whole of ``cyrus.index``, shared to read, exclusive to
   change index, header, cache, annotations or message files.
4. *Databases*: the user's conversations, as long as the index is locked; then annotations (global and per
   mailbox), then quotas, each for one transaction only; then any one of ``mailboxes.db``, seen state,
   subscriptions, statuscache and the others; last the user's counters. (Who counts conversations anew keeps
   their database over all mailboxes of the user, and therefore the namespace exclusively.)

A second mailbox may be opened while a first is (COPY, RENAME). To stay clear
of deadlock the caller takes the namespace locks of both owners before either
mailbox, in order of userid: ``MailStore.lock_users``.

The locks are in ``namelock`` (0 to 2) and ``locking`` (3); they count repeated use within one process,
since a process would otherwise wait for itself. ``libcyrus.base.lock_order`` checks all this while tests
run.
"""
