"""The variables of a serverless.yml, and the places where one has no value."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.runtime.manifest import ManifestError, load
from functions.runtime.manifest.variables import Variable, parse
from tests.functions.manifest_support import MARK, SERVERLESS, only, refused, serverless, write

CUSTOM = """
custom:
  name: lamp
  number: 12
  nothing: null
  list: [zero, one]
  inner: {dev: for-dev, prod: for-prod}
  chain: ${self:custom.chained}
  chained: ${self:custom.name}-${self:custom.number}
  file: ${file(more.yml)}
params:
  default: {colour: red, size: small}
  prod: {colour: blue}
"""


def value_of(folder: Path, text: str, **options: str) -> str | None:
    """Return what a text becomes as an environment variable; None where it is unset."""
    (folder / "more.yml").write_text("deep: {er: [x, '${self:custom.name}']}\n")
    (folder / "more.json").write_text('{"a": "b"}')
    function = f"environment:\n  VALUE: {text}\n"
    return only(serverless(folder, function, CUSTOM, **options)).environment.get("VALUE")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${self:custom.name}", "lamp"),
        ("${self:custom.number}", "12"),
        ("${ self:custom.name }", "lamp"),
        ("a ${self:custom.name} b ${self:custom.number} c", "a lamp b 12 c"),
        ("${self:custom.list.1}", "one"),
        ("${self:custom.chain}", "lamp-12"),
        ("${self:service}", "home"),
        ("${self:custom.inner.${sls:stage}}", "for-dev"),
        ("${self:custom.inner.${opt:stage, 'dev'}}", "for-dev"),
        ("${self:custom.missing, 'spare'}", "spare"),
        ('${self:custom.missing, "sp, are"}', "sp, are"),
        ("${self:custom.missing, self:custom.nothing, self:custom.name}", "lamp"),
        ("${self:custom.missing, ${self:custom.missing2, 'in'}}", "in"),
        ("${self:custom.missing, ${env:NOPE}, 'out'}", "out"),
        ("${self:custom.missing, '${self:custom.name}-x'}", "lamp-x"),
        ("${self:custom.missing, 5}", "5"),
        ("${self:custom.missing, true}", "true"),
        ("${self:custom.missing, ''}", ""),
        ("${self:custom.missing, null}", None),
        ("${env:HOME}", "/home/me"),
        ("${env:NOPE, 'none'}", "none"),
        ("${opt:stage, self:provider.stage, 'dev'}", "dev"),
        ("${opt:other, 'x'}", "x"),
        ("${sls:stage}", "dev"),
        ("${aws:region}", "us-east-1"),
        ("${aws:accountId}", "000000000000"),
        ("${param:colour}", "red"),
        ("${file(more.yml):deep.er.0}", "x"),
        ("${file(./more.yml):deep.er.1}", "lamp"),
        ("${self:custom.file.deep.er.1}", "lamp"),
        ("${file(more.json):a}", "b"),
        ("${file(${self:custom.missing, 'more'}.json):a}", "b"),
        ("${file(missing.yml):a, 'no file'}", "no file"),
        ("${ssm:/path, 'spare'}", "spare"),
        ("${cf:stack.Output, 'spare'}", "spare"),
        ("${strToBool(${self:custom.missing, 'true'})}", "true"),
        ("${AWS::Region}", "${AWS::Region}"),
        ("${Name}", "${Name}"),
        ("\\${self:custom.name}", "${self:custom.name}"),
        ("!Sub '${self:custom.name}-${AWS::Region}-${!Plain}'", "lamp-us-east-1-${Plain}"),
        ("!Join ['-', [a, '${self:custom.name}']]", "a-lamp"),
        ("!Ref AWS::NoValue", None),
        ("!Ref AWS::StackName", "home-dev"),
    ],
)
def test_a_variable_has_the_value_that_the_framework_gives_it(
    tmp_path: Path, text: str, value: str | None
) -> None:
    quoted = text if text.startswith("!") else "'" + text.replace("'", "''") + "'"
    assert value_of(tmp_path, quoted) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${self:custom.inner.${sls:stage}}", "for-prod"),
        ("${opt:stage}", "prod"),
        ("${param:colour}", "blue"),
        ("${param:size}", "small"),
        ("${aws:region}", "eu-north-1"),
    ],
)
def test_options_come_first(tmp_path: Path, text: str, value: str) -> None:
    assert value_of(tmp_path, f'"{text}"', stage="prod", region="eu-north-1") == value


def test_a_variable_may_be_a_whole_part_and_keeps_its_type(tmp_path: Path) -> None:
    function = """
    timeout: ${self:custom.limits.timeout}
    environment: ${self:custom.env}
    events: ${file(events.yml):list}
    """
    root = "custom: {limits: {timeout: 8}, env: {AA: '${self:custom.limits.timeout}'}}\n"
    (tmp_path / "events.yml").write_text("list:\n  - iot:\n      sql: SELECT * FROM 'a'\n")
    built = only(serverless(tmp_path, function, root))
    assert (built.timeout, built.environment) == (8.0, {"AA": "8"})
    assert built.rules[0].place.file == tmp_path / "events.yml"
    assert built.rules[0].place.line == 3


def test_a_value_of_the_environment_is_not_read_for_variables(tmp_path: Path) -> None:
    text = SERVERLESS + "    environment: {AA: '${env:EVIL}', BB: 'x${env:EVIL}'}\n"
    evil = {"EVIL": "${env:SECRET}", "SECRET": "s"}
    environment = only(load(write(tmp_path, text), environ=evil)).environment
    assert environment == {"AA": "${env:SECRET}", "BB": "x${env:SECRET}"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("${self:custom.missing}", "${self:custom.missing} has no value here"),
        ("${env:NOPE}", "${env:NOPE} has no value here"),
        ("a-${opt:stage}-b", "${opt:stage} has no value here"),
        ("${ssm:/path}", "${ssm:/path} has no value here"),
        ("${file(missing.yml):a}", "has no value here"),
        ("${file(code.js):a}", "only YAML and JSON files are read here"),
        ("${sls:instanceId}", "the source sls is not supported here"),
        ("${vault:secret}", "the source vault is not supported here"),
        ("${self:custom.missing, plain}", "'plain' is no source"),
        ("${self:custom.missing,}", "has an empty source"),
        ("${self:custom.missing", "no } ends"),
        ("${strToBool(maybe)}", "strToBool takes true, false, 1 or 0"),
        ("x-${self:custom}", "must be a text, not a mapping"),
        ("${self:functions.f.environment.VALUE}", "depends on itself"),
        ("${self:functions.f.environment}", "must be a text, not a mapping"),
    ],
)
def test_a_variable_without_a_value_is_refused_at_its_place(
    tmp_path: Path, text: str, problem: str
) -> None:
    manifest = f'{SERVERLESS}    environment:\n      VALUE: "{text}" {MARK}\ncustom: {{a: 1}}\n'
    error = refused(tmp_path, manifest)
    assert error.key == "functions.f.environment.VALUE"
    assert problem in error.problem


def test_variables_that_need_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="depends on itself"):
        serverless(
            tmp_path,
            "timeout: ${self:custom.a}",
            "custom: {a: '${self:custom.b}', b: '${self:custom.a}'}",
        )


def test_a_part_that_contains_itself_is_refused(tmp_path: Path) -> None:
    events = "events: [{schedule: {rate: rate(1 day), input: '${self:custom}'}}]"
    with pytest.raises(ManifestError, match=r"(contains|depends on) itself"):
        serverless(tmp_path, events, "custom: {a: {b: '${self:custom}'}}")


def test_variables_that_multiply_are_bounded(tmp_path: Path) -> None:
    lines = ["  a0: xxxxxxxxxx"]
    for level in range(1, 30):
        lines.append(f"  a{level}: " + f"${{self:custom.a{level - 1}}}" * 10)
    began = time.monotonic()
    with pytest.raises(ManifestError, match=r"more than \d+ variables"):
        serverless(tmp_path, "description: ${self:custom.a29}", "custom:\n" + "\n".join(lines))
    assert time.monotonic() - began < 30


def test_what_is_not_read_need_not_have_a_value(tmp_path: Path) -> None:
    root = "custom: {unused: '${ssm:/only/on/aws}'}\nresources: {Resources: {X: '${nope:x}'}}\n"
    assert only(serverless(tmp_path, "tags: ${ssm:/x}", root)).name == "f"


def test_an_included_file_that_is_broken_is_named(tmp_path: Path) -> None:
    (tmp_path / "more.yml").write_text("a: 1\nb: [\n")
    with pytest.raises(ManifestError, match=r"more\.yml:3:1: not YAML"):
        serverless(tmp_path, "timeout: ${file(more.yml):a}")


def test_a_template_is_its_literals_and_variables_in_order() -> None:
    assert parse("a${self:b, 'c'}d") == (
        "a",
        Variable((("self:b",), ("'c'",)), "${self:b, 'c'}"),
        "d",
    )
    assert parse("") == ()


@given(st.text("${}:,'\"()\\ aself.", max_size=40))
def test_any_text_is_a_template_or_a_value_error(text: str) -> None:
    try:
        pieces = parse(text)
    except ValueError:
        return
    assert len("".join(piece if isinstance(piece, str) else piece.text for piece in pieces)) <= len(
        text
    )


@given(st.text("abc${}' ", max_size=30).filter(lambda text: "${" not in text))
def test_a_text_without_an_opening_is_itself(text: str) -> None:
    assert "".join(str(piece) for piece in parse(text)) == text
