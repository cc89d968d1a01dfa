require ["environment", "relational"];
if environment :contains "domain" "imap.example.com" { discard; }
if environment :matches "remote-ip" ["10.*", "192.168.*"] { keep; }
if anyof (environment :is "phase" "pre", environment "location" "MS", environment "name" "Cyrus") { stop; }
