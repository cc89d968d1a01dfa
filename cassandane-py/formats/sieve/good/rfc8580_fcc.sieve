require ["vacation", "vacation-seconds", "fcc", "mailbox", "imap4flags", "special-use", "enotify"];
vacation :days 7 :from "hemingway@example.com" :fcc "INBOX.Sent" text:
Gone fishing.
.
;
vacation :seconds 1800 :fcc "INBOX.Sent" :flags ["\\Seen"] :specialuse "\\Sent" :create text:
Gone fishing.
.
;
notify :fcc "INBOX.Sent" :message "You got mail!" "mailto:ken@example.com";
