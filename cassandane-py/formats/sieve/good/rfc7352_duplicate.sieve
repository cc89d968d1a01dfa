require ["duplicate", "fileinto", "mailbox", "variables"];
if duplicate { discard; }
if not duplicate :seconds 1800 { keep; }
if allof (header :matches "Subject" "*", not duplicate :seconds 900 :uniqueid "${1}") { keep; }
if header :matches "X-Event-ID" "*" { if duplicate :header "X-Event-ID" :handle "notifier" { discard; } }
if duplicate :last :handle "a" { fileinto :create "Trash/Duplicate"; }
