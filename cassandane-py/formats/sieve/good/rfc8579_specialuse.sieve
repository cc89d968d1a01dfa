require ["fileinto", "special-use", "mailbox"];
fileinto :specialuse "\\Junk" "Spam";
if specialuse_exists "INBOX/Drafts" "\\Drafts" { keep; }
if specialuse_exists ["\\Trash", "\\Archive"] { fileinto :specialuse "\\Archive" :create "INBOX/Archive"; }
