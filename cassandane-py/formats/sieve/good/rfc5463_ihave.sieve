require ["ihave"];
if not ihave "nonexistent-extension" { keep; }
if ihave ["fileinto", "copy"] { fileinto :copy "x"; } else { discard; }
