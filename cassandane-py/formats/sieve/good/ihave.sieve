require ["ihave"]; if ihave ["fileinto","nope"] { frobnicate "x"; } else { keep; } error "oops";
