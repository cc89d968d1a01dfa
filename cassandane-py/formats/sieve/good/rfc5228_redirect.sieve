redirect "bart@example.com";
redirect "\"Simpson, Bart\" <bart@example.com>";
