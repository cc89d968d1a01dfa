require ["redirect-dsn", "redirect-deliverby", "copy"];
redirect :copy :bytimerelative 600 :bymode "return" "joe@example.com";
redirect :bytimeabsolute "2013-09-01T10:00:00Z" :bytrace :notify "delay,failure" :ret "HDRS" "joe@example.com";
