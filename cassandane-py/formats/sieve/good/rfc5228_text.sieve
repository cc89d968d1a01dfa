require "reject";
if header :contains "from" "spam" {
    reject text:
This is not a one-line message,
.. but it begins a line with a dot.
..
.
;
}
