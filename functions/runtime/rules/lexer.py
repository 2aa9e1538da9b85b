"""AWS IoT SQL's text, cut into tokens."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from functions.runtime.rules.errors import RuleError

MAX_CHARACTERS = 16_384
"""The longest rule. Ours: far more than a person writes, and little enough to read in no time."""

KEYWORDS: Final = frozenset(
    (
        *("SELECT", "FROM", "WHERE", "AS", "AND", "OR", "NOT", "IN"),
        *("CASE", "WHEN", "THEN", "ELSE", "END", "TRUE", "FALSE", "NULL"),
    )
)
"""Words that are no attribute, in any case. After a dot and after AS they are names again."""

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
      | (?P<word>[^\W\d]\w*)
      | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<symbol><>|<=|>=|!=|[-+*/%=<>(),.\[\]{}:])""",
    re.VERBOSE,
)

_SURROGATE = re.compile("[\ud800-\udfff]")


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    KEYWORD = "keyword"
    NUMBER = "number"
    TEXT = "text"
    SYMBOL = "symbol"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `text`: as written; of a keyword in capitals; of a text without its quotes.

    `offset`: where it begins in the sql. `quote`: of a text, the quote it was written with.
    """

    kind: Kind
    text: str
    offset: int
    end: int
    quote: str = ""


def tokens_of(sql: str) -> list[Token]:
    """Cut a rule into tokens; the last is of kind END.

    Both quotes make a text, as in AWS's examples; a quote inside is written twice.

    Raises:
        RuleError: for a character that no rule has, and for a text without its end.
    """
    if len(sql) > MAX_CHARACTERS:
        reason = f"the rule has {len(sql)} characters, more than {MAX_CHARACTERS}"
        raise RuleError(reason, sql=sql, offset=MAX_CHARACTERS)
    if surrogate := _SURROGATE.search(sql):
        raise RuleError("the rule is not valid Unicode", sql=sql, offset=surrogate.start())
    tokens, at = [], 0
    while at < len(sql):
        match = _TOKEN.match(sql, at)
        if match is None:
            raise _stray(sql, at)
        if match.lastgroup != "space":
            tokens.append(_token(sql, match))
        at = match.end()
    tokens.append(Token(Kind.END, "the end", len(sql), len(sql)))
    return tokens


def _token(sql: str, match: re.Match[str]) -> Token:
    text, at, end = match[0], match.start(), match.end()
    if match.lastgroup == "text":
        quote = text[0]
        return Token(Kind.TEXT, text[1:-1].replace(quote * 2, quote), at, end, quote)
    if match.lastgroup == "word" and text.upper() in KEYWORDS:
        return Token(Kind.KEYWORD, text.upper(), at, end)
    if match.lastgroup == "number" and re.match(r"\w", sql[end : end + 1]):
        mend = "a name begins with a letter; get(attribute, '0abc') reads any other key"
        raise RuleError("a number runs into a word", sql=sql, offset=end, mend=mend)
    return Token(Kind(match.lastgroup), text, at, end)


_STRAY: Final = {
    ";": ("a rule is one statement", "leave out the ; and what follows it"),
    "`": ("AWS IoT SQL has no back quotes", "get(attribute, 'my-key') reads a key of any form"),
    "|": ("AWS IoT SQL has no ||", "join texts with + or concat()"),
    "$": ("a substitution template has no place in a rule's sql", "write the expression itself"),
}


def _stray(sql: str, at: int) -> RuleError:
    character = sql[at]
    if character in "'\"":
        reason, mend = "the text that begins here has no end", f"close it with {character}"
    else:
        reason, mend = _STRAY.get(character, (f"{character!r} has no place in a rule", ""))
    return RuleError(reason, sql=sql, offset=at, mend=mend)
