require ["date", "relational", "fileinto", "index"];
if allof(header :is "from" "boss@example.com",
         date :value "ge" :originalzone "date" "hour" "09",
         date :value "lt" :originalzone "date" "hour" "17") { fileinto "urgent"; }
if anyof(date :is "received" "weekday" "0", date :is "received" "weekday" "6") { fileinto "weekend"; }
if anyof(currentdate :is "weekday" "0", currentdate :is "weekday" "6",
         currentdate :value "lt" "hour" "09", currentdate :value "ge" :zone "-0500" "date" "2007-06-30") { keep; }
if date :index 1 :last "received" "iso8601" "2007-02-07T15:11:45-0500" { keep; }
if date :zone "+0000" "date" "std11" "x" { keep; }
if header :contains :index 3 :last "received" "by" { keep; }
if address :index 2 "resent-from" "x@y" { keep; }
