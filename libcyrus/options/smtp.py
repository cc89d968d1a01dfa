"""How mail leaves: sendmail or an SMTP host."""

from __future__ import annotations

from libcyrus.options.declare import string, stringlist

sendmail = string("sendmail", "/usr/lib/sendmail", since="2.3.17", doc="The program that sends mail.")
sendmail_auth_id = string(
    "sendmail_auth_id",
    "CYRUS_SENDMAIL_AUTH_ID",
    since="3.1.3",
    doc="The environment variable that tells sendmail the name of the user.",
)
smtp_backend = stringlist(
    "smtp_backend",
    "sendmail",
    ("host", "sendmail"),
    since="3.1.4",
    doc="Whether mail leaves through the sendmail program or an SMTP server.",
)
smtp_host = string(
    "smtp_host",
    "localhost:587",
    since="3.1.4",
    doc="The SMTP server, as host:port with options such as /tls or /auth appended.",
)
smtp_auth_authname = string(
    "smtp_auth_authname", None, since="3.1.4", doc="The name with which to log in to the SMTP server."
)
smtp_auth_password = string(
    "smtp_auth_password", None, since="3.1.4", doc="The password for the SMTP server."
)
smtp_auth_realm = string("smtp_auth_realm", None, since="3.1.4", doc="The SASL realm of the SMTP server.")
