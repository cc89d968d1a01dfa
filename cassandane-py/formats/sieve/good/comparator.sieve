if header :comparator "i;ascii-casemap" :is "a" "b" {}
