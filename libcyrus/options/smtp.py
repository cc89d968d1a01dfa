"""How mail leaves: sendmail or an SMTP host."""

from __future__ import annotations

from libcyrus.options.declare import string, stringlist

sendmail = string("sendmail", "/usr/lib/sendmail", since="2.3.17", doc="sendmail executable path.")
sendmail_auth_id = string(
    "sendmail_auth_id",
    "CYRUS_SENDMAIL_AUTH_ID",
    since="3.1.3",
    doc="Environment variable carrying userid to sendmail.",
)
smtp_backend = stringlist(
    "smtp_backend",
    "sendmail",
    ("host", "sendmail"),
    since="3.1.4",
    doc="Submit via sendmail program or SMTP host.",
)
smtp_host = string(
    "smtp_host", "localhost:587", since="3.1.4", doc="host:port plus /tls, /noauth, /auth... options."
)
smtp_auth_authname = string("smtp_auth_authname", None, since="3.1.4", doc="SMTP authentication name.")
smtp_auth_password = string("smtp_auth_password", None, since="3.1.4", doc="SMTP authentication password.")
smtp_auth_realm = string("smtp_auth_realm", None, since="3.1.4", doc="SMTP SASL realm.")
