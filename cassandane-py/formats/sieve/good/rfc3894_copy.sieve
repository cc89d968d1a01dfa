require ["copy", "fileinto"];
if header :contains "received" "x" { fileinto :copy "incoming"; }
redirect :copy "test@example.com";
