"""What a SAM template may say, and each thing that it may not."""

from pathlib import Path

import pytest

from functions.runtime.manifest import load
from tests.functions.manifest_support import MARK, SAM, only, refused, sam, write


@pytest.mark.parametrize(
    ("text", "attribute", "value"),
    [
        ("", "name", "F"),
        ("", "timeout", 3.0),
        ("", "memory_megabytes", 128),
        ("FunctionName: g", "name", "g"),
        ("Timeout: 900", "timeout", 900.0),
        ("Timeout: '20'", "timeout", 20.0),
        ("Timeout: !Ref AWS::NoValue", "timeout", 3.0),
        ("MemorySize: 10240", "memory_megabytes", 10_240),
        ("ReservedConcurrentExecutions: 0", "reserved_concurrency", 0),
        ("EventInvokeConfig: {MaximumRetryAttempts: 0}", "retries", 0),
        ("EventInvokeConfig: {MaximumEventAgeInSeconds: 60}", "event_age", 60.0),
        ("DeadLetterQueue: {Type: SQS, TargetArn: arn:aws:sqs:x:1:q}", "dead_letter_topic", "q"),
        ("Environment: {Variables: {A1: 1, B1: 'no'}}", "environment", {"A1": "1", "B1": "no"}),
        ("Role: !GetAtt Nowhere.Arn", "name", "F"),
        ("Description: !Sub ${AWS::AccountId}", "description", "000000000000"),
        ("Description: {'Fn::Sub': 'x-${AWS::Region}'}", "description", "x-us-east-1"),
        ("Description: !Sub ['${A}-${!B}', {A: 1}]", "description", "1-${B}"),
        ("Description: !Join [',', [a, !Ref AWS::Partition]]", "description", "a,aws"),
        ("Description: !GetAtt F.Arn", "description",
         "arn:aws:lambda:us-east-1:000000000000:function:F"),
        ("Description: {Ref: F}", "description", "F"),
    ],
)  # fmt: skip
def test_a_key_of_a_function_is_read(
    tmp_path: Path, text: str, attribute: str, value: object
) -> None:
    assert getattr(only(sam(tmp_path, text)), attribute) == value


@pytest.mark.parametrize(
    ("resource", "reference", "value"),
    [
        ("SQS::Queue", "!GetAtt R.Arn", "arn:aws:sqs:us-east-1:000000000000:R"),
        ("SQS::Queue", "!GetAtt R.QueueName", "R"),
        ("SQS::Queue", "!Ref R", "https://sqs.us-east-1.amazonaws.com/000000000000/R"),
        ("SQS::Queue, Properties: {QueueName: q}", "!GetAtt [R, Arn]",
         "arn:aws:sqs:us-east-1:000000000000:q"),
        ("SNS::Topic", "!Ref R", "arn:aws:sns:us-east-1:000000000000:R"),
        ("SNS::Topic", "!Sub '${R.TopicName}'", "R"),
        ("DynamoDB::Table, Properties: {TableName: t}", "!Ref R", "t"),
        ("S3::Bucket, Properties: {BucketName: b}", "!Sub '${R.Arn}/x'", "arn:aws:s3:::b/x"),
    ],
)  # fmt: skip
def test_a_resource_can_be_referred_to(
    tmp_path: Path, resource: str, reference: str, value: str
) -> None:
    text = (
        f"      Environment: {{Variables: {{VAR: {reference}}}}}\n  R: {{Type: AWS::{resource}}}\n"
    )
    path = write(tmp_path, SAM + text, "template.yaml")
    assert only(load(path, environ={})).environment == {"VAR": value}


def test_a_parameter_is_its_default(tmp_path: Path) -> None:
    root = "Parameters: {Limit: {Type: Number, Default: 7}}\n"
    assert only(sam(tmp_path, "Timeout: !Ref Limit", root)).timeout == 7.0


@pytest.mark.parametrize(
    "parameter",
    [
        "{Type: Number, Default: 7, MinValue: 7, MaxValue: '7', AllowedValues: [1, 7.0]}",
        "{Type: String, Default: abc, MinLength: 3, MaxLength: 3, AllowedPattern: '[a-c]+'}",
        "{Type: String, Default: '1', AllowedValues: [1, 2], NoEcho: true, Description: x}",
        "{Type: CommaDelimitedList, Default: 'a, b', AllowedValues: [a, b, c]}",
        "{Type: List<Number>, Default: '1,2', MaxValue: 2}",
        "{Type: List<AWS::EC2::Subnet::Id>, Default: x}",
        "{Type: AWS::EC2::KeyPair::KeyName, Default: mine}",
        "{Type: Number, MinValue: 1}",
    ],
)
def test_a_parameter_within_its_constraints_is_taken(tmp_path: Path, parameter: str) -> None:
    assert only(sam(tmp_path, root=f"Parameters: {{P: {parameter}}}\n")).name == "F"


@pytest.mark.parametrize(
    ("parameter", "key", "problem"),
    [
        ("{Type: Number, Default: 7, MinValue: 8}", ".Default", "less than MinValue, 8"),
        ("{Type: Number, Default: 7, MaxValue: 6}", ".Default", "more than MaxValue, 6"),
        ("{Type: Number, Default: 7, AllowedValues: [1, 70]}", ".Default", "not one of"),
        ("{Type: Number, Default: seven}", ".Default", "'seven' is no number"),
        ("{Type: Number, Default: 7, MinValue: low}", ".MinValue", "'low' is no number"),
        ("{Type: List<Number>, Default: '1,x'}", ".Default", "'x' is no number"),
        ("{Type: String, Default: ab, MinLength: 3}", ".Default", "shorter than MinLength, 3"),
        ("{Type: String, Default: ab, MaxLength: 1}", ".Default", "longer than MaxLength, 1"),
        ("{Type: String, Default: ab, AllowedPattern: a}", ".Default", "not match AllowedPattern"),
        ("{Type: String, Default: ab, AllowedValues: [abc]}", ".Default", "not one of"),
        ("{Type: CommaDelimitedList, Default: 'a,b', AllowedValues: [a]}", ".Default", "'b'"),
        ("{Type: String, Default: a, AllowedPattern: '('}", ".AllowedPattern", "cannot be checked"),
        ("{Type: String, MinValue: 1}", ".MinValue", "has no meaning for the type String"),
        ("{Type: Number, MinLength: 1}", ".MinLength", "has no meaning for the type Number"),
        ("{Type: String, AllowedValue: [a]}", ".AllowedValue", "is not known"),
        ("{Type: Text}", ".Type", "the type 'Text' is not known"),
        ("{Default: a}", "", "Type is missing"),
    ],
)
def test_a_parameter_that_breaks_its_constraints_is_refused(
    tmp_path: Path, parameter: str, key: str, problem: str
) -> None:
    text = f"{SAM}Parameters:\n  P: {parameter} {MARK}\n"
    error = refused(tmp_path, text, "template.yaml")
    assert error.key == f"Parameters.P{key}"
    assert problem in error.problem


def test_a_template_without_a_function_is_refused(tmp_path: Path) -> None:
    text = f"""\
    Transform: AWS::Serverless-2016-10-31
    Resources: {MARK}
      T: {{Type: AWS::SNS::Topic}}
    """
    error = refused(tmp_path, text, "template.yaml")
    assert "no function" in error.problem
    assert "AWS::Serverless::Function" in error.mend


def test_globals_are_what_a_function_does_not_say(tmp_path: Path) -> None:
    root = """
    Globals:
      Function:
        Timeout: 5
        MemorySize: 256
        Environment: {Variables: {AA: global, BB: global}}
        EventInvokeConfig: {MaximumRetryAttempts: 1, MaximumEventAgeInSeconds: 90}
      Api: {Name: x}
      HttpApi: {PropagateTags: true}
    """
    text = """
    Timeout: 6
    Environment: {Variables: {BB: own}}
    EventInvokeConfig: {MaximumRetryAttempts: 0}
    """
    function = only(sam(tmp_path, text, root))
    assert (function.timeout, function.memory_megabytes) == (6.0, 256)
    assert (function.retries, function.event_age) == (0, 90.0)
    assert function.environment == {"AA": "global", "BB": "own"}


def test_code_lies_in_its_folder_beside_the_template(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").touch()
    text = SAM.replace("handler.run", "app.run") + "      CodeUri: ./src/\n"
    function = only(load(write(tmp_path, text, "template.yaml"), environ={}))
    assert function.root == (tmp_path / "src").resolve()


@pytest.mark.parametrize(
    ("event", "method", "path", "form"),
    [
        ("Api, Properties: {Path: /a, Method: get}", "GET", "/a", "1.0"),
        ("Api, Properties: {Path: '/{a}', Method: ANY}", "ANY", "/{a}", "1.0"),
        ("HttpApi", "ANY", "$default", "2.0"),
        ("HttpApi, Properties: {ApiId: !Ref Nowhere}", "ANY", "$default", "2.0"),
        ("HttpApi, Properties: {Path: /a, Method: put}", "PUT", "/a", "2.0"),
        ("HttpApi, Properties: {Path: $default, Method: any}", "ANY", "$default", "2.0"),
        (
            "HttpApi, Properties: {Path: /a, Method: get, PayloadFormatVersion: '1.0'}",
            "GET",
            "/a",
            "1.0",
        ),
    ],
)
def test_each_form_of_a_route(
    tmp_path: Path, event: str, method: str, path: str, form: str
) -> None:
    (route,) = only(sam(tmp_path, f"Events: {{E: {{Type: {event}}}}}")).routes
    assert (route.method, route.path, route.form) == (method, path, form)


@pytest.mark.parametrize(
    ("event", "enabled", "payload", "source"),
    [
        ("Schedule, Properties: {Schedule: rate(1 day)}", True, None, "aws.events"),
        ("Schedule, Properties: {Schedule: rate(1 day), Enabled: false}", False, None,
         "aws.events"),
        ("Schedule, Properties: {Schedule: rate(1 day), State: ENABLED}", True, None, "aws.events"),
        ("Schedule, Properties: {Schedule: rate(1 day), Input: '5'}", True, 5, "aws.events"),
        ("ScheduleV2, Properties: {ScheduleExpression: rate(1 day), State: DISABLED, "
         "FlexibleTimeWindow: {Mode: OFF}}", False, None, "aws.scheduler"),
    ],
)  # fmt: skip
def test_each_form_of_a_schedule(
    tmp_path: Path, event: str, enabled: bool, payload: object, source: str
) -> None:
    event = event.replace("Mode: OFF", "Mode: 'OFF'")
    (schedule,) = only(sam(tmp_path, f"Events: {{E: {{Type: {event}}}}}")).schedules
    assert schedule.expression == "rate(1 day)"
    assert (schedule.enabled, schedule.input, schedule.source) == (enabled, payload, source)


def event(kind: str, properties: str) -> str:
    return f"Events: {{E: {{Type: {kind}, Properties: {{{properties}}}}}}} # <--"


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ("Timout: 3 # <--", "Timout", "is not known"),
        ("timeout: 3 # <--", "timeout", "is not known"),
        ("Timeout: 901 # <--", "Timeout", "from 1 to 900"),
        ("Timeout: # <--", "Timeout", "has no value"),
        ("MemorySize: 64 # <--", "MemorySize", "from 128 to 10240"),
        ("CodeUri: s3://bucket/key # <--", "CodeUri", "is no folder here"),
        ("CodeUri: {Bucket: b, Key: k} # <--", "CodeUri", "code in S3 cannot be run here"),
        ("CodeUri: nowhere # <--", "CodeUri", "'nowhere' is no folder here"),
        ("InlineCode: 'pass' # <--", "InlineCode", "is not supported here"),
        ("PackageType: Image # <--", "PackageType", "must be Zip"),
        ("Layers: [x] # <--", "Layers", "is not supported here"),
        ("FunctionUrlConfig: {} # <--", "FunctionUrlConfig", "is not supported here"),
        ("FunctionName: a.b # <--", "FunctionName", "is not 1 to 64"),
        ("Environment: {A: b} # <--", "Environment.A", "is not known"),
        ("Environment: {Variables: {AA: yes}} # <--", "Environment.Variables.AA", "is a boolean"),
        ("Environment: {Variables: {AA: null}} # <--", "Environment.Variables.AA", "has no value"),
        ("Environment: {Variables: {_HANDLER: x}} # <--", "Environment.Variables._HANDLER",
         "is set by Lambda itself"),
        ("Environment: {Variables: {A: x}} # <--", "Environment.Variables.A", "of this name"),
        ("DeadLetterQueue: {Type: SQS} # <--", "DeadLetterQueue", "TargetArn is missing"),
        ("DeadLetterQueue: {TargetArn: x} # <--", "DeadLetterQueue", "Type is missing"),
        ("EventInvokeConfig: {MaximumRetryAttempts: 3} # <--",
         "EventInvokeConfig.MaximumRetryAttempts", "from 0 to 2"),
        ("EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: SQS}}} # <--",
         "EventInvokeConfig.DestinationConfig.OnFailure", "Destination is missing"),
        ("EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: Lambda}}} # <--",
         "EventInvokeConfig.DestinationConfig.OnFailure.Type", "nothing that can be published to"),
        ("Description: !Ref Nothing # <--", "Description.Ref", "no resource or parameter"),
        ("Description: !GetAtt F # <--", "Description.Fn::GetAtt", "a resource and an attribute"),
        ("Description: !GetAtt F.Nope # <--", "Description.Fn::GetAtt", "F.Nope cannot be known"),
        ("Description: !Sub 'a ${X.Arn}' # <--", "Description.Fn::Sub", "'X'"),
        ("Description: !ImportValue x # <--", "Description", "Fn::ImportValue cannot be known"),
        ("Description: !If [a, b, c] # <--", "Description", "Fn::If cannot be known here"),
        ("Description: !FindInMap [A, b, c] # <--", "Description.Fn::FindInMap", "have no A.b.c"),
        ("Description: !Ref T # <--", "Description.Ref", "the name of T is made when"),
        ("Description: !Ref V # <--", "Description.Ref", "a value of V (AWS::EC2::VPC) cannot"),
        ("Description: !Ref P # <--", "Description.Ref", "the parameter P has no Default"),
        ("Description: !Ref S # <--", "Description.Ref", "the parameter S is kept at AWS"),
        ("Events: {E: {Type: S3, Properties: {}}} # <--", "Events.E.Type", "'S3' do not exist"),
        ("Events: {E: {Type: Api}} # <--", "Events.E", "Properties is missing"),
        (event("IoTRule", "Sql: ''"), "Events.E.Properties.Sql", "empty"),
        (event("IoTRule", "Sql: x, AwsIotSqlVersion: beta"),
         "Events.E.Properties.AwsIotSqlVersion", "from time to time"),
        (event("IoTRule", "Sql: x, AwsIotSqlVersion: 2015-10-08"),
         "Events.E.Properties.AwsIotSqlVersion", "nested objects"),
        (event("Schedule", "Schedule: cron(0 0 30 2 ? *)"),
         "Events.E.Properties.Schedule", "never fires"),
        (event("IoTRule", "sql: x"), "Events.E.Properties.sql", "is not known"),
        (event("Schedule", "Schedule: rate(1 days)"), "Events.E.Properties.Schedule", "singular"),
        (event("Schedule", "Schedule: rate(1 day), Input: '{'"),
         "Events.E.Properties.Input", "is not JSON"),
        (event("Schedule", "Schedule: rate(1 day), Enabled: true, State: ENABLED"),
         "Events.E.Properties.State", "cannot both"),
        (event("Schedule", "Schedule: rate(1 day), RetryPolicy: {}"),
         "Events.E.Properties.RetryPolicy", "is not supported here"),
        (event("ScheduleV2",
               "ScheduleExpression: rate(1 day), FlexibleTimeWindow: {Mode: FLEXIBLE}"),
         "Events.E.Properties.FlexibleTimeWindow.Mode", "must be OFF"),
        (event("ScheduleV2", "ScheduleExpression: at(2026-11-22T00:00:00)"),
         "Events.E.Properties.ScheduleExpression", "fires once"),
        (event("Api", "Path: a, Method: get"), "Events.E.Properties.Path", "the path 'a'"),
        (event("Api", "Path: /a, Method: x"), "Events.E.Properties.Method", "the method 'x'"),
        (event("Api", "Path: /a, Method: get, Auth: {}"), "Events.E.Properties.Auth", "supported"),
        (event("HttpApi", "Path: /a"), "Events.E.Properties", "both, or neither"),
        (event("HttpApi", "Auth: {}"), "Events.E.Properties.Auth", "is not supported here"),
    ],
)  # fmt: skip
def test_what_a_function_may_not_say_is_refused_at_its_line_and_key(
    tmp_path: Path, text: str, key: str, problem: str
) -> None:
    more = """\
  T: {Type: AWS::DynamoDB::Table}
  V: {Type: AWS::EC2::VPC}
Parameters:
  P: {Type: String}
  S: {Type: AWS::SSM::Parameter::Value<String>, Default: /a}
"""
    error = refused(tmp_path, f"{SAM}      {text}\n{more}", "template.yaml")
    assert error.key == f"Resources.F.Properties.{key}"
    assert problem in error.problem


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ("Resources: {} # <--", "", "Transform is missing"),
        ("Transform: Other # <--\nResources: {}", "Transform", "not a SAM template"),
        (
            "Transform: [AWS::Serverless-2016-10-31, Mine] # <--\nResources: {}",
            "Transform[1]",
            "the transform 'Mine' cannot be run here",
        ),
        (f"{SAM}Globls: {{}} # <--", "Globls", "is not known"),
        (f"{SAM}Globals: {{Function: {{Timout: 1}}}} # <--", "Globals.Function.Timout", "known"),
        (f"{SAM}Globals: {{Function: {{Events: {{}}}}}} # <--", "Globals.Function.Events", "known"),
        (f"{SAM}Globals: {{Api: {{Cors: x}}}} # <--", "Globals.Api.Cors", "not supported"),
        (
            f"{SAM}  A: {{Type: AWS::Serverless::Api, Properties: {{Auth: {{}}}}}} # <--",
            "Resources.A.Properties.Auth",
            "is not supported here",
        ),
        (
            f"{SAM}  L: {{Type: AWS::Lambda::Function}} # <--",
            "Resources.L.Type",
            "AWS::Lambda::Function is not supported here",
        ),
        (f"{SAM}  X: {{Properties: {{}}}} # <--", "Resources.X", "Type is missing"),
        (f"{SAM}    Condition: IsProd # <--", "Resources.F.Condition", "is not supported here"),
        (
            f"{SAM}    Metadata: {{IotButton: {{PublishResultTo: a/+}}}} # <--",
            "Resources.F.Metadata.IotButton.PublishResultTo",
            "has '+'",
        ),
        (
            f"{SAM}    Metadata: {{IotButton: {{PublishTo: a}}}} # <--",
            "Resources.F.Metadata.IotButton.PublishTo",
            "is not known",
        ),
    ],
)
def test_what_a_template_may_not_say_is_refused_at_its_line_and_key(
    tmp_path: Path, text: str, key: str, problem: str
) -> None:
    error = refused(tmp_path, text, "template.yaml")
    assert error.key == key
    assert problem in error.problem


@pytest.mark.parametrize("missing", ["Handler", "Runtime"])
def test_what_a_function_must_say_is_missed_by_name(tmp_path: Path, missing: str) -> None:
    lines = [line for line in SAM.splitlines() if missing not in line]
    text = "\n".join(lines).replace("Properties:", f"Properties: {MARK}")
    error = refused(tmp_path, text, "template.yaml")
    assert error.problem.endswith(f": {missing} is missing")
    assert error.mend.startswith(f"add {missing}: ")


def test_other_resources_conditions_and_outputs_have_no_effect(tmp_path: Path) -> None:
    root = """
      Table: {Type: AWS::DynamoDB::Table, Condition: IsProd}
      Layer: {Type: AWS::Serverless::LayerVersion}
    Conditions: {IsProd: !Equals [!Ref Nothing, prod]}
    Outputs: {X: {Value: !ImportValue y}}
    """
    assert only(sam(tmp_path, root=root.replace("\n    ", "\n"))).name == "F"
