require "fileinto";
require ["copy","comparator-i;octet","comparator-i;ascii-casemap"];
require [ "body" ];
keep;
