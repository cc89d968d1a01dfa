require ["ihave"];
if ihave "enotify" { notify :importance "1" "mailto:alm@example.com"; }
elsif ihave "vnd.example.notify" { vnd_notify :low "x"; }
else { error "no way to notify"; }
