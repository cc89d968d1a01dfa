require ["ihave"]; if ihave "fileinto" { fileinto "x"; vacation "y"; }
