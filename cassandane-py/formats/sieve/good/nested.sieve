if allof(true,false,not anyof(true, exists ["a","b"])) {} else {}
