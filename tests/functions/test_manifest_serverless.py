"""What a serverless.yml may say, and each thing that it may not."""

from pathlib import Path

import pytest

from functions.runtime.manifest import ManifestError, load
from tests.functions.manifest_support import MARK, SERVERLESS, only, refused, serverless, write


def test_what_is_left_out_has_the_frameworks_defaults(tmp_path: Path) -> None:
    manifest = serverless(tmp_path)
    function = only(manifest)
    assert (manifest.service, manifest.stage, manifest.region) == ("home", "dev", "us-east-1")
    assert (function.name, function.timeout, function.memory_megabytes) == ("f", 6.0, 1024)
    assert (function.retries, function.event_age) == (2, 21_600.0)
    assert function.reserved_concurrency is None
    assert (function.rules, function.schedules, function.routes) == ((), (), ())
    assert function.environment == {}


@pytest.mark.parametrize(
    ("text", "attribute", "value"),
    [
        ("timeout: 900", "timeout", 900.0),
        ('timeout: "30"', "timeout", 30.0),
        ("timeout: 3.0", "timeout", 3.0),
        ("timeout: null", "timeout", 6.0),
        ("memorySize: 10240", "memory_megabytes", 10_240),
        ("reservedConcurrency: 0", "reserved_concurrency", 0),
        ("maximumRetryAttempts: 0", "retries", 0),
        ("maximumEventAge: 60", "event_age", 60.0),
        ("name: other_name-1", "name", "other_name-1"),
        ("description: 42", "description", "42"),
        ("onError: arn:aws:sns:eu-west-1:123456789012:dead", "dead_letter_topic", "dead"),
        ("onError: arn:aws-cn:sqs:x:1:dead.fifo", "dead_letter_topic", "dead.fifo"),
        ("onError: arn:aws:iot:x:1:topic/a/b", "dead_letter_topic", "a/b"),
        ("destinations: {onSuccess: arn:aws:sqs:x:1:q}", "on_success", "q"),
        ("destinations: {onFailure: {type: sns, arn: arn:aws:sns:x:1:t}}", "on_failure", "t"),
        ("events:", "rules", ()),
        ("role: !GetAtt Nowhere.Arn", "name", "f"),
        ("tags: ${ssm:/x}", "name", "f"),
    ],
)
def test_a_key_of_a_function_is_read(
    tmp_path: Path, text: str, attribute: str, value: object
) -> None:
    assert getattr(only(serverless(tmp_path, text)), attribute) == value


@pytest.mark.parametrize(
    ("event", "method", "path", "form"),
    [
        ("http: GET ping", "GET", "/ping", "1.0"),
        ("http: post /a/{id}", "POST", "/a/{id}", "1.0"),
        ("http: {path: /, method: '*'}", "ANY", "/", "1.0"),
        ("http: {path: ping, method: Any, cors: false, private: false}", "ANY", "/ping", "1.0"),
        ("http: {path: ping, method: get, integration: lambda-proxy}", "GET", "/ping", "1.0"),
        ("http: {path: ping, method: get, integration: AWS_PROXY}", "GET", "/ping", "1.0"),
        ("httpApi: 'GET /ping'", "GET", "/ping", "2.0"),
        ("httpApi: '* /ping'", "ANY", "/ping", "2.0"),
        ("httpApi: '*'", "ANY", "$default", "2.0"),
        ("httpApi: {path: '*'}", "ANY", "$default", "2.0"),
        ("httpApi: {path: /a, method: delete}", "DELETE", "/a", "2.0"),
        ("httpApi: {path: '/a/{rest+}'}", "ANY", "/a/{rest+}", "2.0"),
    ],
)
def test_each_form_of_a_route(
    tmp_path: Path, event: str, method: str, path: str, form: str
) -> None:
    (route,) = only(serverless(tmp_path, f"events:\n  - {event}")).routes
    assert (route.method, route.path, route.form) == (method, path, form)


@pytest.mark.parametrize(
    ("provider", "function", "form"),
    [("'1.0'", "", "1.0"), ("1.0", "", "1.0"), ("'1.0'", "httpApi: {payload: '2.0'}", "2.0")],
)
def test_the_payload_of_http_apis_can_be_set(
    tmp_path: Path, provider: str, function: str, form: str
) -> None:
    text = f"{function}\nevents:\n  - httpApi: GET /\n"
    custom = f"custom: {{payload: {provider}}}\n"
    manifest = SERVERLESS.replace("3.11}", "3.11, httpApi: {payload: '${self:custom.payload}'}}")
    body = manifest + "".join(f"    {line}\n" for line in text.splitlines()) + custom
    assert only(load(write(tmp_path, body), environ={})).routes[0].form == form


@pytest.mark.parametrize(
    ("event", "expressions", "enabled", "payload"),
    [
        ("schedule: rate(5 minutes)", ["rate(5 minutes)"], True, None),
        ("schedule: {rate: rate(1 day), enabled: false}", ["rate(1 day)"], False, None),
        (
            "schedule: {rate: [rate(1 day), cron(0 0 * * ? *)]}",
            ["rate(1 day)", "cron(0 0 * * ? *)"],
            True,
            None,
        ),
        ("schedule: {rate: rate(1 day), input: {a: 1}}", ["rate(1 day)"], True, {"a": 1}),
        ("schedule: {rate: rate(1 day), input: '[1]'}", ["rate(1 day)"], True, [1]),
        (
            """schedule: {rate: rate(1 day), input: {body: '{"a": 1}'}}""",
            ["rate(1 day)"],
            True,
            {"body": {"a": 1}},
        ),
        (
            "schedule: {rate: rate(1 day), timezone: UTC, method: eventBus, description: d}",
            ["rate(1 day)"],
            True,
            None,
        ),
    ],
)
def test_each_form_of_a_schedule(
    tmp_path: Path, event: str, expressions: list[str], enabled: bool, payload: object
) -> None:
    schedules = only(serverless(tmp_path, f"events:\n  - {event}")).schedules
    assert [each.expression for each in schedules] == expressions
    assert {each.enabled for each in schedules} == {enabled}
    assert [each.input for each in schedules] == [payload] * len(schedules)


def test_a_rule_that_is_not_enabled_is_no_rule(tmp_path: Path) -> None:
    rule = "sql: \"SELECT * FROM 'a'\""
    events = f"events:\n  - iot: {{{rule}, enabled: false}}\n  - iot: {{{rule}, enabled: true}}\n"
    assert len(only(serverless(tmp_path, events)).rules) == 1


def test_the_environment_of_the_function_wins_and_null_unsets(tmp_path: Path) -> None:
    text = SERVERLESS.replace("3.11}", "3.11, environment: {AA: 1, BB: two, CC: '', DD: yes}}")
    text += "    environment: {BB: null, EE: false, FF: 1.5, GG: '007'}\n"
    assert only(load(write(tmp_path, text), environ={})).environment == {
        "AA": "1",
        "CC": "",
        "DD": "yes",
        "EE": "false",
        "FF": "1.5",
        "GG": "007",
    }


def test_resources_can_be_referred_to_wherever_they_are_listed(tmp_path: Path) -> None:
    root = """
    resources:
      - Resources: {Q: {Type: "AWS::SQS::Queue"}}
      - Resources: {T: {Type: "AWS::SNS::Topic", Properties: {TopicName: "${self:service}-t"}}}
        Outputs: {X: {Value: !ImportValue y}}
    """
    function = only(
        serverless(
            tmp_path,
            "destinations: {onSuccess: {type: sns, arn: !Ref T}}\nonError: !GetAtt Q.Arn\n",
            root,
        )
    )
    assert (function.on_success, function.dead_letter_topic) == ("home-t", "Q")


def test_functions_can_be_a_list_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "more.yml").write_text("g: {handler: handler.run}\n")
    text = SERVERLESS.replace("  f:\n    handler", "  - f:\n      handler")
    path = write(tmp_path, f"{text}  - ${{file(more.yml)}}\n")
    assert [each.name for each in load(path, environ={}).functions] == ["f", "g"]


@pytest.mark.parametrize(
    ("functions", "key"),
    [
        ("", "functions"),
        (f"functions: {MARK}\n", "functions"),
        (f"functions: {{}} {MARK}\n", "functions"),
    ],
)
def test_a_service_without_functions_is_refused(tmp_path: Path, functions: str, key: str) -> None:
    mark = "" if functions else MARK
    error = refused(
        tmp_path, f"service: {{name: old}} {mark}\nprovider: {{name: aws}}\n{functions}"
    )
    assert error.key == key
    assert "no function" in error.problem
    assert "handler" in error.mend


def test_the_service_may_be_named_in_the_older_form(tmp_path: Path) -> None:
    text = SERVERLESS.replace("service: home", "service: {name: old}")
    assert load(write(tmp_path, text), environ={}).service == "old"


def test_a_schedule_that_is_disabled_need_not_fire(tmp_path: Path) -> None:
    event = "schedule: {rate: cron(0 0 1 1 ? 2020), enabled: false}"
    (schedule,) = only(serverless(tmp_path, f"events: [{event}]")).schedules
    assert not schedule.enabled


IOT = "events: [iot: {{sql: \"SELECT * FROM 'a'\", {}}}] # <--"


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ("timout: 3 # <--", "timout", "is not known"),
        ("timeout: 0 # <--", "timeout", "must be from 1 to 900, not 0"),
        ("timeout: 901 # <--", "timeout", "must be from 1 to 900, not 901"),
        ("timeout: 1.5 # <--", "timeout", "whole number from 1 to 900, not 1.5"),
        ("timeout: true # <--", "timeout", "whole number from 1 to 900, not true"),
        ("timeout: soon # <--", "timeout", "whole number from 1 to 900, not 'soon'"),
        ("timeout: [1] # <--", "timeout", "not a list"),
        ("memorySize: 127 # <--", "memorySize", "from 128 to 10240"),
        ("reservedConcurrency: -1 # <--", "reservedConcurrency", "at least 0"),
        ("maximumRetryAttempts: 3 # <--", "maximumRetryAttempts", "from 0 to 2"),
        ("maximumEventAge: 59 # <--", "maximumEventAge", "from 60 to 21600"),
        ("description: {a: b} # <--", "description", "must be a text, not a mapping"),
        ("name: a/b # <--", "name", "'a/b' is not 1 to 64"),
        ("name: '' # <--", "name", "must not be empty"),
        ("runtime: nodejs20.x # <--", "runtime", "'nodejs20.x' cannot be run here"),
        ("runtime: python2.7 # <--", "runtime", "'python2.7' cannot be run here"),
        ("environment: [a] # <--", "environment", "must be a mapping, not a list"),
        ("environment: {1A: b} # <--", "environment.1A", "of this name"),
        ("environment: {A: b} # <--", "environment.A", "of this name"),
        ("environment:\n      _A: b # <--", "environment._A", "of this name"),
        ("environment: {AA: [b]} # <--", "environment.AA", "must be a text, not a list"),
        ("environment: {AA: 1.10} # <--", "environment.AA", "1.10 has more than one form"),
        ("environment: {AA: 007} # <--", "environment.AA", "007 has more than one form"),
        ("environment: {AA: 12345678901234567} # <--", "environment.AA", "more than one form"),
        ('environment: {AA: "a\\0b"} # <--', "environment.AA", "NUL"),
        ("environment: {AWS_REGION: x} # <--", "environment.AWS_REGION", "set by Lambda itself"),
        ("onError: dead # <--", "onError", "'dead' is no ARN"),
        ("onError: arn:aws:lambda:x:1:function:g # <--", "onError", "nothing that can be"),
        ("onError: arn:aws:sns:x:1:t:subscription # <--", "onError", "nothing that can be"),
        ("onError: arn:aws:iot:x:1:rule/r # <--", "onError", "nothing that can be"),
        ("onError: 'arn:aws:iot:x:1:topic/a/#' # <--", "onError", "the topic 'a/#' has '#'"),
        ("onError: arn:aws:iot:x:1:topic/a/+/b # <--", "onError", "has '+'"),
        ("onError: arn:aws:iot:x:1:topic/$aws/x # <--", "onError", "begins with $"),
        ("onError: arn:aws:iot:x:1:topic/ # <--", "onError", "is empty"),
        ("onError: !Ref Nothing # <--", "onError.Ref", "no resource or parameter 'Nothing'"),
        ("destinations: {onDone: x} # <--", "destinations.onDone", "is not known"),
        ("destinations: {onSuccess: g} # <--", "destinations.onSuccess", "'g' is no ARN"),
        ("destinations: {onSuccess: {arn: a}} # <--", "destinations.onSuccess", "type is missing"),
        (
            "destinations: {onFailure: {type: eventBus, arn: x}} # <--",
            "destinations.onFailure.type",
            "'eventBus' is nothing that can be published to here",
        ),
        (
            "destinations: {onFailure: {type: sqs2, arn: x}} # <--",
            "destinations.onFailure.type",
            "must be function or sns or sqs or eventBus, not 'sqs2'",
        ),
        ("layers: [x] # <--", "layers", "is not supported here"),
        ("image: x # <--", "image", "is not supported here"),
        ("url: true # <--", "url", "is not supported here"),
        ("condition: x # <--", "condition", "is not supported here"),
        ("package: {artifact: x.zip} # <--", "package.artifact", "is not supported here"),
        ("package: {pattern: [x]} # <--", "package.pattern", "is not known"),
        ("httpApi: {payload: '3.0'} # <--", "httpApi.payload", "must be 1.0 or 2.0"),
        ("events: {iot: x} # <--", "events", "must be a list, not a mapping"),
        ("events: [iot] # <--", "events[0]", "must be a mapping, not 'iot'"),
        ("events: [{}] # <--", "events[0]", "must be one of iot, schedule, http, httpApi"),
        ("events: [{s3: bucket}] # <--", "events[0].s3", "is not supported here"),
        ("events: [{htp: GET /}] # <--", "events[0].htp", "is not known"),
        ("events: [{http: GET /, httpApi: GET /}] # <--", "events[0]", "must be one of"),
        ("events: [{iot: {}}] # <--", "events[0].iot", "sql is missing"),
        ("events: [{iot: {sql: 5, sqll: x}}] # <--", "events[0].iot.sqll", "is not known"),
        ("events: [{iot: {sql: ''}}] # <--", "events[0].iot.sql", "must not be empty"),
        (IOT.format("enabled: maybe"), "events[0].iot.enabled", "must be true or false"),
        (IOT.format("sqlVersion: '1'"), "events[0].iot.sqlVersion", "is not known"),
        (IOT.format("sqlVersion: beta"), "events[0].iot.sqlVersion", "from time to time"),
        (IOT.format("sqlVersion: 2015-10-08"), "events[0].iot.sqlVersion", "nested objects"),
        ("events: [{schedule: cron(0 0 30 2 ? *)}] # <--", "events[0].schedule", "never fires"),
        ("events: [{schedule: cron(0 0 1 1 ? 2020)}] # <--", "events[0].schedule", "never fires"),
        ("events: [{schedule: rate(1 minutes)}] # <--", "events[0].schedule", "singular after 1"),
        ("events: [{schedule: {enabled: true}}] # <--", "events[0].schedule", "rate is missing"),
        (
            "events: [{schedule: {rate: [rate(1 day), rate(1 moon)]}}] # <--",
            "events[0].schedule.rate[1]",
            "neither rate",
        ),
        (
            "events: [{schedule: {rate: rate(1 day), inputPath: $.x}}] # <--",
            "events[0].schedule.inputPath",
            "is not supported here",
        ),
        (
            "events: [{schedule: {rate: rate(1 day), input: 'no json'}}] # <--",
            "events[0].schedule.input",
            "is not JSON",
        ),
        (
            "events: [{schedule: {rate: rate(1 day), input: {body: 'no json'}}}] # <--",
            "events[0].schedule.input.body",
            "is not JSON",
        ),
        (
            "events: [{schedule: {rate: rate(1 day), timezone: Europe/Berlin}}] # <--",
            "events[0].schedule.timezone",
            "must be UTC",
        ),
        (
            "events: [{schedule: {rate: [rate(1 day), rate(1 hour)], name: n}}] # <--",
            "events[0].schedule.name",
            "one name for more than one rate",
        ),
        ("events: [{http: GET}] # <--", "events[0].http", "not of the form 'GET /ping'"),
        ("events: [{http: FETCH /}] # <--", "events[0].http", "the method 'FETCH' is not one of"),
        ("events: [{http: {path: a}}] # <--", "events[0].http", "method is missing"),
        ("events: [{http: {method: get}}] # <--", "events[0].http", "path is missing"),
        (
            "events: [{http: {path: 'a/{b', method: get}}] # <--",
            "events[0].http.path",
            "the path '/a/{b' is not of the form",
        ),
        (
            "events: [{http: {path: '{b+}/c', method: get}}] # <--",
            "events[0].http.path",
            "which takes all the rest",
        ),
        (
            "events: [{http: {path: a, method: get, cors: true}}] # <--",
            "events[0].http.cors",
            "is not supported here",
        ),
        (
            "events: [{http: {path: a, method: get, private: true}}] # <--",
            "events[0].http.private",
            "is not supported here",
        ),
        (
            "events: [{http: {path: a, method: get, integration: mock}}] # <--",
            "events[0].http.integration",
            "the integration 'mock' is not supported",
        ),
        ("events: [{httpApi: GET ping}] # <--", "events[0].httpApi", "the path 'ping'"),
        ("events: [{httpApi: GET *}] # <--", "events[0].httpApi", "* takes no method"),
        (
            "events: [{httpApi: {path: /, authorizer: x}}] # <--",
            "events[0].httpApi.authorizer",
            "is not supported here",
        ),
    ],
)
def test_what_a_function_may_not_say_is_refused_at_its_line_and_key(
    tmp_path: Path, text: str, key: str, problem: str
) -> None:
    error = refused(tmp_path, f"{SERVERLESS}    {text}\n")
    assert error.key == f"functions.f.{key}"
    assert problem in error.problem


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ("provider: {name: aws} # <--", "", "service is missing"),
        ("service: a # <--", "", "provider is missing"),
        ("service: a\nprovider: {} # <--", "provider", "name is missing"),
        ("service: a\nprovider: {name: azure} # <--", "provider.name", "'azure' is not supported"),
        (
            "service: a\nprovider: {name: aws, timeot: 3} # <--",
            "provider.timeot",
            "is not known",
        ),
        (
            "service: a\nprovider: {name: aws, runtime: go1.x} # <--",
            "provider.runtime",
            "'go1.x' cannot be run here",
        ),
        (
            "service: a\nprovider: {name: aws, layers: [x]} # <--",
            "provider.layers",
            "is not supported here",
        ),
        (
            "service: a\nprovider:\n  name: aws\n  apiGateway: {resourcePolicy: []} # <--",
            "provider.apiGateway.resourcePolicy",
            "is not supported here",
        ),
        (
            "service: a\nprovider:\n  name: aws\n  logs: {lambda: {logFormat: JSON}} # <--",
            "provider.logs.lambda",
            "is not supported here",
        ),
        (
            "service: a\nprovider: {name: aws}\nfunctions:\n  f: {handler: handler.run} # <--",
            "functions.f",
            "runtime is missing",
        ),
        ("service: a\nprovider: {name: aws}\nfuntions: {} # <--", "funtions", "is not known"),
        ("service: a\nprovider: {name: aws}\nlayers: {l: {}} # <--", "layers", "not supported"),
        ("service: a\nprovider: {name: aws}\nuseDotenv: true # <--", "useDotenv", "not supported"),
        (
            "service: a\nprovider: {name: aws}\nplugins: [serverless-offline, other] # <--",
            "plugins[1]",
            "the plugin 'other' cannot be run here",
        ),
        (
            "service: a\nprovider: {name: aws}\nplugins: {modules: [other]} # <--",
            "plugins.modules[0]",
            "the plugin 'other'",
        ),
        (
            "service: a\nprovider: {name: aws}\npackage: {artifact: x.zip} # <--",
            "package.artifact",
            "is not supported here",
        ),
        (
            SERVERLESS + "  g: {} # <--\n",
            "functions.g",
            "handler is missing",
        ),
        (SERVERLESS + "  'a b': {handler: handler.run} # <--\n", "functions.a b", "'a b' is not"),
        (
            SERVERLESS + "custom: {iot-button: {results: {g: x}}} # <--\n",
            "custom.iot-button.results.g",
            "is not known",
        ),
        (
            SERVERLESS + "custom: {iot-button: {results: {f: a/#}}} # <--\n",
            "custom.iot-button.results.f",
            "has '#'",
        ),
        (
            SERVERLESS + "custom: {iot-button: {result: {f: a}}} # <--\n",
            "custom.iot-button.result",
            "is not known",
        ),
    ],
)
def test_what_a_file_may_not_say_is_refused_at_its_line_and_key(
    tmp_path: Path, text: str, key: str, problem: str
) -> None:
    error = refused(tmp_path, text)
    assert error.key == key
    assert problem in error.problem


@pytest.mark.parametrize(
    ("handler", "problem"),
    [
        ("handler", "'handler' is no handler"),
        ("../handler.run", "is no handler"),
        ("/handler.run", "is no handler"),
        ("handler.run.", "is no handler"),
        ("hander.run", "there is no file"),
        ("handler/run.go", "there is no file"),
        ("folder.run", "there is no file"),
    ],
)
def test_a_handler_whose_file_is_not_there_is_refused(
    tmp_path: Path, handler: str, problem: str
) -> None:
    (tmp_path / "folder").mkdir()
    text = SERVERLESS.replace("handler: handler.run", f"handler: {handler} {MARK}")
    error = refused(tmp_path, text)
    assert error.key == "functions.f.handler"
    assert problem in error.problem


@pytest.mark.parametrize("handler", ["a/b.run", "a.b.run", "a.run"])
def test_a_handler_may_lie_in_folders_and_packages(tmp_path: Path, handler: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "__init__.py").touch()
    (tmp_path / "a" / "b.py").touch()
    text = SERVERLESS.replace("handler.run", handler)
    assert only(load(write(tmp_path, text), environ={})).handler == handler


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("timout: 3", "did you mean timeout?"),
        ("Timeout: 3", "did you mean timeout?"),
        ("maxRetryAttempts: 1", "did you mean maximumRetryAttempts?"),
    ],
)
def test_a_key_that_is_nearly_known_is_suggested(
    tmp_path: Path, text: str, suggestion: str
) -> None:
    with pytest.raises(ManifestError) as caught:
        serverless(tmp_path, text)
    assert caught.value.mend == suggestion


def test_a_destination_that_cannot_be_is_told_what_can_be_used(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as caught:
        serverless(tmp_path, "onError: arn:aws:lambda:x:1:function:g")
    assert "arn:aws:iot:REGION:ACCOUNT:topic/NAME/MORE" in caught.value.mend


def test_two_functions_of_one_name_are_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, f"{SERVERLESS}  g: {{name: f, handler: handler.run}} {MARK}\n")
    assert error.problem.endswith("the function f is there twice; first in line 4")


@pytest.mark.parametrize(
    ("first", "second", "are_same"),
    [
        ("http: GET /a/{b}", "http: get /a/{c}", True),
        ("http: GET /a", "http: POST /a", False),
        ("http: GET /a", "httpApi: GET /a", False),
        ("httpApi: 'GET /{a}'", "httpApi: 'GET /{a+}'", False),
    ],
)
def test_two_routes_for_the_same_requests_are_refused(
    tmp_path: Path, first: str, second: str, are_same: bool
) -> None:
    text = f"{SERVERLESS}    events:\n      - {first}\n      - {second} {MARK}\n"
    if are_same:
        assert "is there twice; first in line 7" in refused(tmp_path, text).problem
    else:
        assert len(only(serverless(tmp_path, f"events:\n  - {first}\n  - {second}")).routes) == 2
