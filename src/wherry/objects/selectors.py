"""Label and field selectors: text or `LabelSelector` in, a frozen value that matches out.

Grammar and wording of errors are those of k8s.io/apimachinery `labels` and `fields`. Bad input raises ValueError with
the message that goes to the client.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from wherry.objects import Obj, names
from wherry.objects.field_errors import show

EQUALS, DOUBLE_EQUALS, NOT_EQUALS = "=", "==", "!="
IN, NOT_IN, EXISTS, DOES_NOT_EXIST = "in", "notin", "exists", "!"
GREATER, LESS = "gt", "lt"

_BINARY = (IN, NOT_IN, EQUALS, DOUBLE_EQUALS, NOT_EQUALS, GREATER, LESS)
_SIGNS = {">": GREATER, "<": LESS, **{sign: sign for sign in (EQUALS, DOUBLE_EQUALS, NOT_EQUALS, IN, NOT_IN)}}
_OF_LABEL_SELECTOR = {"In": IN, "NotIn": NOT_IN, "Exists": EXISTS, "DoesNotExist": DOES_NOT_EXIST}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "=" | "==" | "in":
                return value in self.values
            case "!=" | "notin":
                return value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
            case _:
                return value is not None and self._ordered(value)

    def _ordered(self, value: str) -> bool:
        number = _int64(value)
        limit = _int64(self.values[0])
        if number is None or limit is None:
            return False
        return number > limit if self.operator == GREATER else number < limit

    def __str__(self) -> str:
        values = ",".join(sorted(self.values))
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({values})"
            case "gt" | "lt":
                return f"{self.key}{'>' if self.operator == GREATER else '<'}{values}"
            case _:
                return f"{self.key}{self.operator}{values}"


@dataclass(frozen=True, slots=True)
class Selector:
    """All of `requirements`; with `nothing` set it selects no object, whatever its labels."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False
    _exact: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)
    _rest: tuple[Requirement, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Most selectors are plain equalities: those are compared first and without a call each."""
        plain = [r for r in self.requirements if r.operator in (EQUALS, DOUBLE_EQUALS, IN) and len(r.values) == 1]
        object.__setattr__(self, "_exact", tuple((r.key, r.values[0]) for r in plain))
        object.__setattr__(self, "_rest", tuple(r for r in self.requirements if r not in plain))

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        if self.nothing:
            return False
        labels = labels or {}
        for key, value in self._exact:
            if labels.get(key) != value:
                return False
        return all(requirement.matches(labels) for requirement in self._rest)

    @property
    def everything(self) -> bool:
        return not self.requirements and not self.nothing

    @property
    def exact(self) -> Mapping[str, str]:
        """The labels that every selected object has with these very values (an index can use them)."""
        return dict(self._exact)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)


def parse_labels(text: str) -> Selector:
    """A `labelSelector` of a query: `a=b, c!=d, e in (x,y), f notin (z), g, !h`; "" selects everything."""
    return _Parser(text).parse()


def from_map(labels: Mapping[str, str] | None) -> Selector:
    """All of these labels: the selector of a Service or ReplicationController; an empty one selects everything."""
    return _sorted(Requirement(key, EQUALS, (value,)) for key, value in (labels or {}).items())


def from_label_selector(obj: Obj | None) -> Selector:
    """A `metav1.LabelSelector`: None selects NOTHING, an empty one EVERYTHING."""
    if obj is None:
        return NOTHING
    requirements = [_requirement(key, EQUALS, (value,)) for key, value in (obj.get("matchLabels") or {}).items()]
    for expression in obj.get("matchExpressions") or ():
        operator = expression.get("operator", "")
        if operator not in _OF_LABEL_SELECTOR:
            raise ValueError(f"{show(operator)} is not a valid label selector operator")
        values = tuple(expression.get("values") or ())
        requirements.append(_requirement(expression.get("key", ""), _OF_LABEL_SELECTOR[operator], values))
    return _sorted(requirements)


def format_label_selector(obj: Obj | None) -> str:
    """How columns of `kubectl get` show a LabelSelector."""
    return str(from_label_selector(obj)) or "<none>"


def _sorted(requirements: Iterable[Requirement]) -> Selector:
    ordered = tuple(sorted(requirements, key=lambda r: r.key))
    return Selector(ordered) if ordered else EVERYTHING


def _int64(text: str) -> int | None:
    if not re.fullmatch("[+-]?[0-9]{1,19}", text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


def _value_errors(key: str, operator: str, values: Sequence[str]) -> list[str]:
    path, shown = "values", show(list(values))
    errors = []
    if operator in (IN, NOT_IN) and not values:
        errors.append(f"{path}: Invalid value: {shown}: for 'in', 'notin' operators, values set can't be empty")
    elif operator in (EQUALS, DOUBLE_EQUALS, NOT_EQUALS) and len(values) != 1:
        errors.append(f"{path}: Invalid value: {shown}: exact-match compatibility requires one single value")
    elif operator in (EXISTS, DOES_NOT_EXIST) and values:
        errors.append(f"{path}: Invalid value: {shown}: values set must be empty for exists and does not exist")
    elif operator in (GREATER, LESS) and _int64(values[0]) is None:
        text = "for 'Gt', 'Lt' operators, the value must be an integer"
        errors.append(f"{path}[0]: Invalid value: {show(values[0])}: {text}")
    for index, value in enumerate(values):
        if wrong := names.label_value(value):
            errors.append(f"{path}[{index}][{key}]: Invalid value: {show(value)}: {wrong}")
    return errors


def _requirement(key: str, operator: str, values: tuple[str, ...] = ()) -> Requirement:
    errors = _value_errors(key, operator, values)
    if wrong := names.label_key(key):
        errors.insert(0, f"key: Invalid value: {show(key)}: {wrong}")
    if errors:
        raise ValueError(errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]")
    return Requirement(key, operator, values)


_END = ""
# One sign (the longest known start of a run of them), or anything up to the next sign or space.
_TOKEN = re.compile(r"[ \t\r\n]*(==|!=|[=!(),<>]|[^=!(),<> \t\r\n]+|$)")
_SPECIAL = frozenset("=!(),<>") | {"==", "!="}


class _Parser:
    """Recursive descent over the tokens of one label selector; `at` is the next token."""

    def __init__(self, text: str) -> None:
        self.tokens = [match.group(1) for match in _TOKEN.finditer(text)]
        self.at = 0

    def peek(self) -> str:
        return self.tokens[min(self.at, len(self.tokens) - 1)] if self.tokens else _END

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def is_word(self) -> bool:
        token = self.peek()
        return token != _END and token not in _SPECIAL

    def parse(self) -> Selector:
        requirements: list[Requirement] = []
        while self.peek() != _END:
            if not (self.is_word() or self.peek() == "!"):
                self.fail("!, identifier, or 'end of string'")
            try:
                requirements.append(self.requirement())
            except ValueError as error:
                raise ValueError(f"unable to parse requirement: {error}") from None
            if self.peek() not in (_END, ","):
                self.fail("',' or 'end of string'")
            if self.take() == "," and not (self.is_word() or self.peek() == "!"):
                self.fail("identifier after ','")
        return _sorted(requirements)

    def fail(self, expected: str) -> NoReturn:
        raise ValueError(f"found '{self.peek()}', expected: {expected}")

    def requirement(self) -> Requirement:
        absent = self.peek() == "!"
        if absent:
            self.take()
        if not self.is_word():
            self.fail("identifier")
        key = self.take()
        if wrong := names.label_key(key):
            raise ValueError(f"<nil>: Invalid value: {show(key)}: {wrong}")
        if absent or self.peek() in (_END, ","):
            return Requirement(key, DOES_NOT_EXIST if absent else EXISTS)
        if self.peek() not in _SIGNS:
            self.fail(", ".join(_BINARY))
        operator = _SIGNS[self.take()]
        values = self.value_set() if operator in (IN, NOT_IN) else (self.exact_value(),)
        return _requirement(key, operator, tuple(sorted(set(values))))

    def exact_value(self) -> str:
        if self.peek() in (_END, ","):
            return ""
        if not self.is_word():
            self.fail("identifier")
        return self.take()

    def value_set(self) -> list[str]:
        """`(a,b)`; an omitted value, as in `(a,)` or `()`, is the empty one."""
        if self.peek() != "(":
            raise ValueError(f"found '{self.peek()}' expected: '('")
        self.take()
        values = []
        while True:
            values.append(self.take() if self.is_word() else "")
            if self.peek() == ")":
                self.take()
                return values
            if self.peek() != ",":
                self.fail("',' or ')'")
            self.take()


class FieldTerm(NamedTuple):
    """One condition on one field, named as the API names it: `status.phase`."""

    field: str
    value: str
    negated: bool = False

    def __str__(self) -> str:
        escaped = re.sub(r"([\\,=])", r"\\\1", self.value)
        return f"{self.field}{'!=' if self.negated else '='}{escaped}"


def parse_fields(text: str) -> tuple[FieldTerm, ...]:
    """A `fieldSelector` of a query: `a=b,c!=d`; in values `\\\\`, `\\,` and `\\=` stand for the bare sign."""
    terms = (_field_term(text, part) for part in sorted(_split_terms(text)) if part)
    return tuple(term for term in terms if term.field or term.value)  # upstream reads a bare `=` as no condition


def matches_fields(terms: Iterable[FieldTerm], lookup: Callable[[str], Any]) -> bool:
    """Whether all terms hold; `lookup` gives a field's value as text, "" when it is not set."""
    return all((lookup(term.field) == term.value) != term.negated for term in terms)


def _split_terms(text: str) -> list[str]:
    return re.findall(r"(?:^|(?<=,))((?:\\.|[^,\\]|\\$)*)(?:,|$)", text, re.DOTALL)


def _field_term(text: str, part: str) -> FieldTerm:
    match = re.search("!=|==|=", part)
    if match is None:
        raise ValueError(f"invalid selector: '{text}'; can't understand '{part}'")
    return FieldTerm(part[: match.start()], _unescape(part[match.end() :]), match.group() == NOT_EQUALS)


def _unescape(text: str) -> str:
    out = []
    for piece in re.findall(r"\\.|.|\n", text, re.DOTALL):
        if piece in (",", "="):
            raise ValueError(f"invalid field selector: unescaped character in value: {ord(piece)}")
        if piece[0] == "\\":
            if piece[1:] not in ("\\", ",", "="):
                raise ValueError(f"invalid field selector: invalid escape sequence: {piece}")
            piece = piece[1:]
        out.append(piece)
    return "".join(out)
