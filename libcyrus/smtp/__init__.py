"""Handing mail to the outgoing side: the sendmail program or an SMTP host, as ``smtp_backend`` says.

``envelope``  sender, recipients and their parameters (RFC 5321 section 4.1.2), checked first
``data``      a message as DATA carries it
``pipe``      the conversation with ``sendmail -bs`` over its standard input and output
``client``    one transaction after the other, and what a refusal means
``submit``    the connection that the configuration asks for
"""
