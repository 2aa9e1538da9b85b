"""A place in a rule's tokens: look, take, or complain about what stands there."""

from functions.runtime.rules.errors import RuleError
from functions.runtime.rules.lexer import Kind, Token, tokens_of


class Tokens:
    """The tokens of a rule, read from the front."""

    def __init__(self, sql: str) -> None:
        self._sql = sql
        self._tokens = tokens_of(sql)
        self._next = 0

    @property
    def next(self) -> Token:
        """The token that stands here; at the end, one of kind END."""
        return self._tokens[self._next]

    def after(self, count: int = 1) -> Token:
        """Return the token that stands `count` further on."""
        return self._tokens[min(self._next + count, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Return the token that stands here, and go on."""
        token = self.next
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def take_written(self) -> str:
        """Take the token that stands here, and return it as it was written."""
        token = self.take()
        return self._sql[token.offset : token.end]

    def stands(self, *texts: str) -> bool:
        """Whether one of these keywords or symbols stands here."""
        return self.next.kind in (Kind.KEYWORD, Kind.SYMBOL) and self.next.text in texts

    def take_if(self, *texts: str) -> Token | None:
        """Take one of these keywords or symbols, if it stands here."""
        return self.take() if self.stands(*texts) else None

    def expect(self, text: str, *, why: str = "", mend: str = "") -> Token:
        """Take this keyword or symbol.

        Raises:
            RuleError: when something else stands here; `why` says in place of the default.
        """
        if not self.stands(text):
            raise self.complaint(why or f"{text} is expected, not {self.found()}", mend=mend)
        return self.take()

    def found(self) -> str:
        """Name what stands here, for a message."""
        token = self.next
        if token.kind is Kind.END:
            return token.text
        return self._sql[token.offset : min(token.end, token.offset + 40)]

    def complaint(self, reason: str, *, at: int | None = None, mend: str = "") -> RuleError:
        """Build an error that points here, or to `at`."""
        offset = self.next.offset if at is None else at
        return RuleError(reason, sql=self._sql, offset=offset, mend=mend)
