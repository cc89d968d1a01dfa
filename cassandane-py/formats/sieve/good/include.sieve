require ["include"]; include "a"; include :global :once :optional "b"; include :personal "c"; return;
