require "fileinto";
if address :is :all "from" "tim@example.com" { discard; }
if address :domain :is ["From", "To"] "example.com" { keep; }
if address :localpart :contains "resent-to" ["postmaster", "abuse"] { fileinto "INBOX.admin"; }
