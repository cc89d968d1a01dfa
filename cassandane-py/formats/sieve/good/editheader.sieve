require ["editheader","index"]; addheader "X-A" "v"; addheader :last "X-B" "w"; deleteheader "X-C"; deleteheader :index 1 :last :contains "X-D" ["a","b"]; deleteheader :index 3 "X-E" "q";
