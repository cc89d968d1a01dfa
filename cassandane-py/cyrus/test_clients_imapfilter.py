"""imapfilter sorts mail by a script in Lua, which searches, marks, copies, moves, appends and waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from cassandane import reference
from cassandane.foreign import Account, fill, flags_by_subject, mail_of
from cassandane.messages import message

pytestmark = pytest.mark.reference

_LIBRARY = b"/usr/share/imapfilter/"


def program(account: Account) -> Path:
    """imapfilter, whose own scripts are looked for where it runs instead of in a fixed place."""
    original = Path(reference.program("imapfilter"))
    scripts = original.parents[1] / "share/imapfilter"
    copy = account.home / "imapfilter-here"
    here = b"./imapfilter".ljust(len(_LIBRARY), b"/")
    copy.write_bytes(original.read_bytes().replace(_LIBRARY, here))
    copy.chmod(0o700)
    (account.home / "imapfilter").symlink_to(scripts)
    return copy


def arguments(account: Account, script: str, transport: str = "plain") -> list[str]:
    port, ssl = (account.tls_port, "ssl = 'auto',") if transport == "imaps" else (account.port, "")
    head = f"""
options.timeout = 30
options.info = false
options.subscribe = true
options.wakeonany = true
options.certificates = false
options.starttls = {str(transport == "starttls").lower()}
me = IMAP {{
    server = 'localhost', port = {port}, username = '{account.user}', password = 'secret', {ssl}
}}
function show(set)
    local uids = {{}}
    for _, message in ipairs(set) do table.insert(uids, message[2]) end
    table.sort(uids)
    print(table.concat(uids, ' '))
end
"""
    path = account.write("config.lua", head + script)
    return [str(program(account)), "-t", account.certificate, "-c", str(path)]


def run(account: Account, script: str, transport: str = "plain") -> list[str]:
    """What the script printed."""
    return account.run(*arguments(account, script, transport)).stdout.decode().splitlines()


@pytest.mark.parametrize("transport", ["plain", "starttls", "imaps"])
def test_status_and_folders(account: Account, transport: str) -> None:
    fill(account, "INBOX", message("one"), message("two"))
    script = """
me:create_mailbox('Work')
me:create_mailbox('Größe/Zwei')
me:rename_mailbox('Work', 'Play')
me:delete_mailbox('Größe/Zwei')
me:unsubscribe_mailbox('Größe')
me:subscribe_mailbox('Play')
boxes, folders = me:list_all('', '*')
table.sort(boxes)
print(table.concat(boxes, ','))
subscribed = me:list_subscribed('', '*')
table.sort(subscribed)
print(table.concat(subscribed, ','))
exist, unread, unseen, uidnext = me.INBOX:check_status()
print(exist, unread, unseen, uidnext)
"""
    assert run(account, script, transport) == ["Größe,INBOX,Play", "Play", "2\t2\t2\t3"]


def test_searches(account: Account) -> None:
    with account.imap() as client:
        client.append("INBOX", message("apples", "red and round", Cc="carol@example.org"), flags="(\\Seen)")
        pears = message("pears", "green " * 200, Bcc="dan@example.org")
        client.append("INBOX", pears, flags="(\\Flagged Work)")
        client.append("INBOX", message("apple pie", "sweet", X_Kind="cake"), flags="(\\Answered \\Draft)")
        client.ok('APPEND INBOX "01-Feb-2020 10:00:00 +0000" {}', message("old news", "dull"))
    expected = {
        "me.INBOX:select_all()": "1 2 3 4",
        "me.INBOX:is_seen()": "1",
        "me.INBOX:is_unseen()": "2 3 4",
        "me.INBOX:is_flagged()": "2",
        "me.INBOX:is_answered() + me.INBOX:is_flagged()": "2 3",
        "me.INBOX:is_draft()": "3",
        "me.INBOX:is_undeleted() * me.INBOX:is_unanswered()": "1 2 4",
        "me.INBOX:has_keyword('Work')": "2",
        "me.INBOX:has_unkeyword('Work')": "1 3 4",
        "me.INBOX:is_larger(800)": "2",
        "me.INBOX:is_smaller(800)": "1 3 4",
        "me.INBOX:is_older(30)": "4",
        "me.INBOX:is_newer(30)": "1 2 3",
        "me.INBOX:arrived_on('01-Feb-2020')": "4",
        "me.INBOX:arrived_since('02-Feb-2020')": "1 2 3",
        "me.INBOX:sent_on('02-Nov-2026')": "1 2 3 4",
        "me.INBOX:sent_before('02-Nov-2026')": "",
        "me.INBOX:contain_subject('apple')": "1 3",
        "me.INBOX:contain_from('alice')": "1 2 3 4",
        "me.INBOX:contain_cc('carol')": "1",
        "me.INBOX:contain_bcc('dan')": "2",
        "me.INBOX:contain_field('X-Kind', 'cake')": "3",
        "me.INBOX:contain_body('sweet')": "3",
        "me.INBOX:contain_message('carol')": "1",
        "me.INBOX:contain_subject('apple') - me.INBOX:is_seen()": "3",
        "me.INBOX:match_subject('^app?les$')": "1",
        "me.INBOX:match_body('(green ?)+')": "2",
        "me.INBOX:match_field('X-Kind', 'c.ke')": "3",
        "me.INBOX:send_query('OR SUBJECT \"pears\" BODY \"dull\"')": "2 4",
    }
    printed = run(account, "".join(f"show({expression})\n" for expression in expected))
    assert dict(zip(expected, printed, strict=True)) == expected


def test_marks_copies_moves_and_deletes(account: Account) -> None:
    fill(account, "INBOX", *(message(f"m{number}") for number in range(6)))
    script = """
me:create_mailbox('Copies')
me:create_mailbox('Moved')
me.INBOX:contain_subject('m0'):mark_seen()
me.INBOX:contain_subject('m1'):mark_flagged()
me.INBOX:contain_subject('m1'):add_flags({'$Todo', '\\\\Answered'})
me.INBOX:contain_subject('m1'):unmark_answered()
me.INBOX:contain_subject('m2'):replace_flags({'\\\\Draft'})
me.INBOX:contain_subject('m2'):copy_messages(me.Copies)
me.INBOX:contain_subject('m3'):move_messages(me.Moved)
me.INBOX:contain_subject('m4'):delete_messages()
"""
    run(account, script)
    assert flags_by_subject(account, "INBOX") == {
        "m0": {"\\Seen"}, "m1": {"\\Flagged", "$Todo"}, "m2": {"\\Draft"}, "m5": set(),
    }
    assert flags_by_subject(account, "Copies") == {"m2": {"\\Draft"}}
    assert list(flags_by_subject(account, "Moved")) == ["m3"]


def test_reads_and_appends(account: Account) -> None:
    data = (
        b"Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
        b"--x\r\nContent-Type: text/plain\r\n\r\nfirst\r\n"
        b'--x\r\nContent-Type: image/png; name="a.png"\r\n\r\nPNG\r\n--x--\r\n'
    )
    fill(account, "INBOX", data, flags="(\\Seen)")
    script = """
me:create_mailbox('Copy')
message = me.INBOX[1]
print(message:fetch_size())
print(message:fetch_field('Subject'))
for part, info in pairs(message:fetch_structure()) do
    if part == '2' then print(part, info.type, info.size, info.name) end
end
print(message:fetch_part('1'))
print(#message:fetch_header() + #message:fetch_body())
print(table.concat(message:fetch_flags(), ' '))
me.Copy:append_message(message:fetch_message(), {'\\\\Flagged', 'Kept'}, '01-Feb-2020 10:00:00 +0000')
"""
    size = str(len(data))
    printed = run(account, script)
    assert printed == [size, "Subject: parts", "2\tIMAGE/PNG\t3\ta.png", "first", size, "\\Recent \\Seen"]
    assert mail_of(account, "Copy") == {"Copy": [(data, frozenset({"\\Flagged", "Kept"}))]}
    with account.imap() as client:
        client.ok("EXAMINE Copy")
        assert " 1-Feb-2020 10:00:00 +0000" in client.ok("FETCH 1 INTERNALDATE").untagged[0]


def test_waits_for_new_mail(account: Account) -> None:
    waiting = account.start(*arguments(account, "print(me.INBOX:enter_idle())\nshow(me.INBOX:is_flagged())"))
    try:
        with account.imap() as client:
            for _ in range(1000):
                if waiting.poll() is not None:
                    break
                client.append("INBOX", message("wake up"), flags="(\\Flagged)")
        printed, _ = waiting.communicate(timeout=30)
    finally:
        waiting.kill()
    assert printed.startswith((b"true\tEXISTS\n1", b"true\tRECENT\n1")), printed
