require ["vacation-seconds"];
vacation :addresses ["tjs@example.com"] :seconds 1800 "I am in a meeting, and do not have access to email.";
vacation :seconds 86400 "x";
