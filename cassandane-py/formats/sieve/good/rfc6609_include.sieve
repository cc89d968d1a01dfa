require ["include", "fileinto"];
include :personal "always_allow";
include :global "spam_tests";
include :once :optional :personal "spam_tests";
if true { return; }
include "mailing_lists";
