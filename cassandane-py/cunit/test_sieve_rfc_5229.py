"""RFC 5229, variables, and the draft of regular expressions, which leave match variables too.

What differs from RFC 5229, as in the original:

- A match that fails empties ``${0}`` to ``${9}``; the RFC leaves them as an earlier match set them
  (section 3.2).
- ``:length`` counts octets, not characters (section 4.1.3), and an upper or lower case is of ASCII only.
- References with namespaces are taken as text (section 3 has them fail).
"""

from __future__ import annotations

import pytest
from cunit.test_sieve_run import FakeHost

from cassandane.sieve_rules import COYOTE, Rule, holds, result

REQUIRE = 'require ["variables", "fileinto", "regex", "relational", "enotify",'
REQUIRE += ' "comparator-i;ascii-numeric"];\n'
ACME = 'set "company" "ACME";'
JUMBLED = 'set "a" "juMBlEd lETteRS";'
LIST = "List-ID: Sieve <ietf-mta-filters@imc.org>\n"
LIST += "Subject: [acme-users] [fwd] version 1.0 is out\n\n"
BUSINESS = "To: coyote@ACME.Example.COM\n\n"


def _value(section: str, text: str, value: str, before: str = "", mail: str = COYOTE) -> Rule:
    return Rule(section, f'{REQUIRE}{before} fileinto "{text}";', f"fileinto {value}", mail)


def _if(section: str, test: str, expected: bool = True, before: str = "", mail: str = COYOTE) -> Rule:
    script = f"{REQUIRE}{before} if {test} {{ discard; }}"
    return Rule(section, script, "discard" if expected else "keep", mail)


RULES = [
    _value("3", "&%${}!", "&%${}!", ACME),
    _value("3", "${doh!}", "${doh!}", ACME),
    _value("3", "x${full}y", "xy", ACME),
    _value("3", "${company}", "ACME", ACME),
    _value("3", "${COMPANY}", "ACME", ACME),
    _value("3", "${BAD${Company}", "${BADACME", ACME),
    _value("3", "${President, ${Company} Inc.}", "${President, ACME Inc.}", ACME),
    _value("3", "${a.b}", "${a.b}", ACME),
    _value("3", "$${company}}", "$ACME}", ACME),
    Rule("3", 'require ["fileinto"]; fileinto "${0}";', "fileinto ${0}"),
    Rule("3", 'set "a" "b";', 'refused variables extension MUST be enabled with "require" command'),
    Rule("3", REQUIRE + 'set "a.b" "c";', "refused string 'a.b': not a valid sieve identifier"),
    Rule("3", REQUIRE + 'set "1" "c";', "refused string '1': not a valid sieve identifier"),
    Rule("3", REQUIRE + 'set "${a}" "c";', "refused string '${a}': not a valid sieve identifier"),
    # nothing that was expanded is expanded again
    _value("3.1", "${a}", "${b}", 'set "dollar" "$"; set "a" "${dollar}{b}"; set "b" "x";'),
    # section 3.2: match variables
    Rule("3.2", REQUIRE + 'if header :matches "List-ID" "*<*@*" { fileinto "INBOX.lists.${2}"; stop; }',
         "fileinto INBOX.lists.ietf-mta-filters", LIST),
    Rule("3.2", REQUIRE + 'if header :matches "Subject" "[*] *" { fileinto "${1}: ${2}"; }',
         "fileinto acme-users: [fwd] version 1.0 is out", LIST),
    Rule("3.2", REQUIRE + 'if address :matches ["To", "Cc"] ["coyote@**.com", "wile@**.com"]'
         ' { fileinto "INBOX.business.${2}/${1}/${0}"; stop; }',
         "fileinto INBOX.business.ACME.Example//coyote@ACME.Example.COM", BUSINESS),
    Rule("3.2", REQUIRE + 'fileinto "${10}";',
             "refused string '${10}': match variable index > 9 unsupported"),
    _value("3.2", "x${0}${9}y", "xy"),
    Rule("3.2", REQUIRE + 'if string :matches "abc" "?*" { if string :matches "x" "y*" {} }'
         ' fileinto "<${1}>";',
         "fileinto <>"),
    Rule("3.2", REQUIRE + 'if string :matches "abc" "?*" { if string "x" "y" {} } fileinto "<${1}>";',
         "fileinto <a>"),
    Rule("3.2", REQUIRE + 'if string :matches ["abc", "bcd"] "*b*" { fileinto "${1},${2}"; }',
             "fileinto a,c"),
    Rule("3.2", REQUIRE + 'if string :matches "a" ["?", "*"] { fileinto "${1}"; }', "fileinto a"),
    Rule("3.2", REQUIRE + 'if anyof (string :matches "a" "?", string :matches "b" "?") { fileinto "${1}"; }',
         "fileinto a"),
    Rule("3.2", REQUIRE + 'if not string :matches "ab" "a*" {} fileinto "${01}";', "fileinto b"),
    # section 4: set
    _value("4", "Dear ${HONORIFIC} ${last_name}", "Dear Mr Coyote",
           'set "honorific" "Mr"; set "first_name" "Wile"; set "last_name" "Coyote";'),
    _value("4", "${a}", "b", 'set "A" "x"; set "a" "b";'),
    _value("4", "<${a}>", "<>", 'set "a" "x"; set "a" "";'),
    Rule("4", REQUIRE + 'set :nosuch "a" "b";', "refused syntax error"),
    Rule("4", REQUIRE + 'set "a" ["b"];', "refused syntax error"),
    _value("4.1", "${b}", "15", JUMBLED + 'set :length "b" "${a}";'),
    _value("4.1", "${b}", "jumbled letters", JUMBLED + 'set :lower "b" "${a}";'),
    _value("4.1", "${b}", "JUMBLED LETTERS", JUMBLED + 'set :upper "b" "${a}";'),
    _value("4.1", "${b}", "JuMBlEd lETteRS", JUMBLED + 'set :upperfirst "b" "${a}";'),
    _value("4.1", "${b}", "Jumbled letters", JUMBLED + 'set :upperfirst :lower "b" "${a}";'),
    _value("4.1", "${b}", "jUMBLED LETTERS", JUMBLED + 'set :lowerfirst :upper "b" "${a}";'),
    _value("4.1.2", "${b}", "Rock\\*\\?\\\\", 'set :quotewildcard "b" "Rock*?\\\\";'),
    _value("4.1.2", "${b}", "6", 'set :quotewildcard :length "b" "Rock*";'),
    _value("4.1.3", "${b}", "6", 'set :length "b" "grün!";'),
    _value("4.1.3", "${b}", "0", 'set :length "b" "";'),
    _value("4.1", "${b}", "a%20b%26c%C3%BC", 'set :encodeurl "b" "a b&cü";'),
    # section 5: string
    _if("5", 'string :matches " ${state} " "* pending *"', before='set "state" "${state} pending";'),
    _if("5", 'string :is "${none}" ""'),
    _if("5", 'string ["a", "b"] ["c", "B"]'),
    _if("5", 'string :count "eq" :comparator "i;ascii-numeric" ["a", "", "${none}", "b"] "2"'),
    _if("5", 'string :count "eq" :comparator "i;ascii-numeric" ["", "${none}"] "0"'),
    # section 6: limits
    Rule("6", REQUIRE + "".join(f'set "v{n}" "{n}";' for n in range(128)) + 'fileinto "${v0}-${v127}";',
         "fileinto 0-127"),
    Rule("6", REQUIRE + f'set "a" "{"x" * 4000}"; set :length "b" "${{a}}"; fileinto "${{b}}";',
         "fileinto 4000"),
    # draft-ietf-sieve-regex
    holds("regex", "regex", 'header :regex "Subject" "^I have a (present|gift) for you$"'),
    Rule("regex", 'if header :regex "Subject" "x" {}',
         'refused regex extension MUST be enabled with "require" command'),
    holds("regex", "regex", 'header :regex "Subject" "[[:upper:]] have"'),
    holds("regex", "regex", 'header :comparator "i;octet" :regex "Subject" "^i have"', False),
    holds("regex", "regex", 'header :comparator "i;ascii-casemap" :regex "Subject" "^i HAVE"'),
    holds("regex", "regex", 'address :regex :localpart "from" "^c.y+ot{1}e$"'),
    holds("regex", "regex", 'header :regex "Subject" "a|b|c{3}"'),
    Rule("regex", REQUIRE + 'if header :regex "Subject" "(.*) (have) ([a-z])" { fileinto "${3}${2}${1}"; }',
         "fileinto ahaveI"),
    Rule("regex", REQUIRE + 'if header :regex "Subject" "(x)?(I)" { fileinto "<${1}${2}>"; }',
         "fileinto <I>"),
    Rule("regex", REQUIRE + 'set :quoteregex "a" "a.b*"; if string :regex "xa.b*y" "${a}"'
         ' { fileinto "${a}"; }',
         "fileinto a\\.b\\*"),
    Rule("regex", REQUIRE + 'set "p" "("; if string :regex "a" "${p}" {}', "error Invalid test"),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rfc_5229(rule: Rule) -> None:
    assert result(rule, FakeHost()) == rule.expected


@pytest.mark.parametrize(
    ("script", "start"),
    [
        ('set :upper :lower "b" "x";', "refused multiple"),
        ('if string :regex "a" "(" {}', "refused"),
        ('if string :regex "a" "[" {}', "refused"),
    ],
)
def test_what_is_refused(script: str, start: str) -> None:
    assert result(Rule("4.1", REQUIRE + script, ""), FakeHost()).startswith(start)
