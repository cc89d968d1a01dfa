require ["vacation"]; vacation "gone"; vacation :days 3 :subject "s" :from "me@x" :addresses ["a@b","c@d"] :mime :handle "h" "text";
