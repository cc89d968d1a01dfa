"""Every imapd.conf option, one ``Option`` each under its own name.

``opt.sharedprefix`` is both the declaration and the key: ``config[opt.sharedprefix]``.
The names are declared in a module per topic; ``BY_NAME`` is all of them.
"""

from __future__ import annotations

from typing import Any

from libcyrus.options.acl import *  # noqa: F403
from libcyrus.options.annotation import *  # noqa: F403
from libcyrus.options.auth import *  # noqa: F403
from libcyrus.options.autocreate import *  # noqa: F403
from libcyrus.options.backup import *  # noqa: F403
from libcyrus.options.conversation import *  # noqa: F403
from libcyrus.options.databases import *  # noqa: F403
from libcyrus.options.dav import *  # noqa: F403
from libcyrus.options.declare import Kind as Kind
from libcyrus.options.declare import Option as Option
from libcyrus.options.events import *  # noqa: F403
from libcyrus.options.groups import *  # noqa: F403
from libcyrus.options.http import *  # noqa: F403
from libcyrus.options.imap import *  # noqa: F403
from libcyrus.options.jmap import *  # noqa: F403
from libcyrus.options.lmtp import *  # noqa: F403
from libcyrus.options.murder import *  # noqa: F403
from libcyrus.options.namespace import *  # noqa: F403
from libcyrus.options.nntp import *  # noqa: F403
from libcyrus.options.objectstore import *  # noqa: F403
from libcyrus.options.pop3 import *  # noqa: F403
from libcyrus.options.replication import *  # noqa: F403
from libcyrus.options.searching import *  # noqa: F403
from libcyrus.options.sieve import *  # noqa: F403
from libcyrus.options.smtp import *  # noqa: F403
from libcyrus.options.storage import *  # noqa: F403
from libcyrus.options.system import *  # noqa: F403
from libcyrus.options.tls import *  # noqa: F403

BY_NAME: dict[str, Option[Any]] = {
    name: value for name, value in globals().items() if isinstance(value, Option)
}
