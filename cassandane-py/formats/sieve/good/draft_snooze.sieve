require ["vnd.cyrus.snooze", "imap4flags", "mailbox", "special-use"];
snooze :mailbox "Inbox" :addflags ["$awakened"] :weekdays ["1", "2", "3", "4", "5"] :tzid "America/New_York" ["12:00:00", "08:00:00"];
snooze :specialuse "\\Snoozed" :create :removeflags "\\Seen" "00:00:00";
