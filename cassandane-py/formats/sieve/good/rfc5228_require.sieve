require ["fileinto", "reject"];
require "fileinto";
keep;
