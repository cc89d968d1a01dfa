require ["enotify", "fileinto", "variables", "envelope"];
if header :contains "from" "boss@example.org" {
    notify :importance "1" :message "This is probably very important" "mailto:alm@example.com";
    stop;
}
if header :matches "Subject" "*" { set "subject" "${1}"; }
if envelope :all :matches "from" "*" { set "env_from" " [really: ${1}]"; }
set :encodeurl "body_param" "Safe body&evil=evilbody";
notify :from "a@b.c" :options "x=y" :importance "3" :message "${from}${env_from}: ${subject}" "mailto:alm@example.com?body=${body_param}";
if notify_method_capability "xmpp:tim@example.com?message;subject=SIEVE" "Online" "yes" { notify "mailto:tim@example.com"; }
if valid_notify_method ["mailto:", "http://gw.example.net/notify?test"] { stop; }
