"""Generated conversations: the same bytes to our imapd and to the original's, on equal spools.

A *family* (``family.Family``) makes *streams* (``stream.Stream``) from a seed. A stream is a conversation of
one or more sessions, made of *exchanges* (what is sent, and when). ``servers.Servers`` holds both servers on
equal spools, plays streams on them exchange by exchange, and compares all replies after ``masking``. What
may differ is a ``family.Difference`` of the family, with its reason. ``rows.tsv`` names the families that
show each row of what imapd can do; ``rows.unseen`` tells which of them a play did not show.

A family::

    def check_and_noop(source: random.Random) -> Iterator[Stream]:
        for number in range(10):
            stream = Stream(f"noop {number}", source, user="ann", delivery=source.choice(DELIVERIES))
            stream.say("SELECT {}", b"INBOX")      # {} is a string: atom, quoted or literal, as delivered
            stream.say("APPEND INBOX {!}", b"...")  # {!} is always a literal, {~} a literal8
            stream.raw(b"t1 NOOP nonsense")         # bytes as they are; the line end is added
            stream.say("NOOP", by="B")              # a second session of the same user ...
            stream.session("C", "bob")              # ... and one of another
            yield stream

    NOOP = Family("noop", check_and_noop, differences=(
        Difference("why it may be", lambda heard: b"NOOP" in heard.sent and b"OK" in heard.ours[-1]),
    ))

and its test, with the module's fixture ``servers`` (a spool is built once by one server, and copied)::

    check(NOOP, servers, seed=1)

``check`` fails on a difference that is not listed, on a listed one that did not occur, and on a row of the
family in ``rows.tsv`` that was not shown. After each exchange an unknown command is sent to find the end of
the replies (``stream.MARK``); ``Stream.cut_off`` instead ends the connection where its bytes end, and
``Stream.idle``, ``hear`` and ``done`` follow what comes unasked. A stream that changes messages makes a
mailbox of its own, so that streams do not disturb each other.
"""
