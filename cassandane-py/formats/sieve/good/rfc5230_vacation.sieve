require ["vacation", "fileinto"];
vacation "I'm out -- send mail to cyrus@example.org";
vacation :addresses ["tjs@example.edu", "ts4z@landru.example.edu"] "I'm away until October 19.";
if header :contains "subject" "cyrus" {
    vacation "I'm out";
} else {
    vacation :days 7 :mime :subject "Gone" :from "Tim <tjs@example.edu>" :handle "ran-away" text:
Content-Type: multipart/alternative; boundary=foo

--foo

I'm at the beach relaxing.
--foo--
.
;
}
