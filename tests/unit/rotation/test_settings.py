"""The environment: AWS's names and meanings, empty counts as unset, and errors that name the variable."""

import pytest

from rotation.errors import ConfigurationInvalidError
from rotation.settings import PasswordSettings, ReportingSettings, Settings, StrategyName, WatchSettings

SENTINEL = "Sentinel-7f3a"
LEAST = {"IDEMPOTENCY_TABLE": "steps"}


def read(**variables: str) -> Settings:
    return Settings.from_environment({**LEAST, **variables})


def test_only_the_table_is_needed() -> None:
    settings = read()
    assert settings.idempotency_table == "steps"
    assert settings.strategy is StrategyName.AUTO
    assert settings.tls_ca_bundle is None
    assert settings.password == PasswordSettings()


def test_passwords_are_composed_as_by_awss_own_functions() -> None:
    password = read().password
    assert password.length == 32
    assert password.exclude_characters == ":/@\"'\\"
    assert password.require_each_included_type
    excluded = (
        password.exclude_numbers,
        password.exclude_punctuation,
        password.exclude_uppercase,
        password.exclude_lowercase,
    )
    assert not any(excluded)


def test_awss_variables_keep_their_names_and_meaning() -> None:
    password = read(
        PASSWORD_LENGTH="40",
        EXCLUDE_CHARACTERS="abc",
        EXCLUDE_NUMBERS="true",
        EXCLUDE_PUNCTUATION="True",
        EXCLUDE_UPPERCASE="false",
        EXCLUDE_LOWERCASE="1",
        REQUIRE_EACH_INCLUDED_TYPE="false",
    ).password
    assert password.model_dump() == {
        "length": 40,
        "exclude_characters": "abc",
        "exclude_numbers": True,
        "exclude_punctuation": True,
        "exclude_uppercase": False,
        "exclude_lowercase": True,
        "require_each_included_type": False,
    }


def test_an_empty_list_of_characters_excludes_none() -> None:
    assert read(EXCLUDE_CHARACTERS="").password.exclude_characters == ""


@pytest.mark.parametrize(
    "variable",
    [
        "PASSWORD_LENGTH",
        "EXCLUDE_NUMBERS",
        "EXCLUDE_PUNCTUATION",
        "EXCLUDE_UPPERCASE",
        "EXCLUDE_LOWERCASE",
        "REQUIRE_EACH_INCLUDED_TYPE",
        "ROTATION_STRATEGY",
        "TLS_CA_BUNDLE",
        "CUSTOM_ENGINES",
        "HTTP_TARGETS",
        "REPORT_RESERVE_SECONDS",
        "POWERTOOLS_LOG_LEVEL",
        "POWERTOOLS_SERVICE_NAME",
        "POWERTOOLS_METRICS_NAMESPACE",
    ],
)
def test_an_empty_variable_is_the_same_as_none(variable: str) -> None:
    assert read(**{variable: ""}) == read()


@pytest.mark.parametrize(
    "variable",
    [
        "PASSWORD_LENGTH",
        "EXCLUDE_NUMBERS",
        "EXCLUDE_PUNCTUATION",
        "EXCLUDE_UPPERCASE",
        "EXCLUDE_LOWERCASE",
        "REQUIRE_EACH_INCLUDED_TYPE",
        "ROTATION_STRATEGY",
        "CUSTOM_ENGINES",
        "HTTP_TARGETS",
        "REPORT_RESERVE_SECONDS",
        "POWERTOOLS_LOG_LEVEL",
    ],
)
def test_a_wrong_variable_is_named_and_its_value_is_not(variable: str) -> None:
    with pytest.raises(ConfigurationInvalidError) as caught:
        read(**{variable: SENTINEL})
    assert caught.value.message.startswith(f"{variable}: ")
    assert SENTINEL not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("variable", "value"), [("PASSWORD_LENGTH", "7"), ("PASSWORD_LENGTH", "4097"), ("REPORT_RESERVE_SECONDS", "0.5")]
)
def test_limits_are_held(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationInvalidError, match=variable):
        read(**{variable: value})


@pytest.mark.parametrize("table", [{}, {"IDEMPOTENCY_TABLE": ""}], ids=["absent", "empty"])
def test_a_missing_table_is_named(table: dict[str, str]) -> None:
    with pytest.raises(ConfigurationInvalidError, match="IDEMPOTENCY_TABLE: Field required"):
        Settings.from_environment(table)


@pytest.mark.parametrize("name", list(StrategyName))
def test_every_strategy_can_be_set(name: StrategyName) -> None:
    assert read(ROTATION_STRATEGY=name.value).strategy is name


def test_engines_of_ones_own_are_listed_with_commas() -> None:
    assert read(CUSTOM_ENGINES="acme=acme_rotation.engine:AcmeEngine, b-2=c:d").custom_engines == {
        "acme": "acme_rotation.engine:AcmeEngine",
        "b-2": "c:d",
    }


@pytest.mark.parametrize("entry", ["acme=acme", "acme=acme.engine", "acme=a b:C", "acme=a:b.c", "acme=:C", "acme=../a:C"])
def test_an_engine_of_ones_own_that_is_no_module_and_name_is_named(entry: str) -> None:
    with pytest.raises(ConfigurationInvalidError, match=r"^configuration_invalid: CUSTOM_ENGINES\.acme: "):
        read(CUSTOM_ENGINES=f"other=other:Engine,{entry}")


@pytest.mark.parametrize("text", ["Acme=a:B", "=a:B", "a=b:C,", ","])
def test_an_engine_of_ones_own_has_a_name_as_the_others_have(text: str) -> None:
    with pytest.raises(ConfigurationInvalidError, match="CUSTOM_ENGINES"):
        read(CUSTOM_ENGINES=text)


@pytest.mark.parametrize("text", ["{", "[]", "acme", '{"acme": ' + SENTINEL + "}"])
def test_declared_services_are_a_json_object(text: str) -> None:
    with pytest.raises(ConfigurationInvalidError, match="HTTP_TARGETS: ") as caught:
        read(HTTP_TARGETS=text)
    assert SENTINEL not in str(caught.value)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read().idempotency_table = "other"  # type: ignore[misc]


def test_reporting_works_whatever_else_is_wrong() -> None:
    settings = ReportingSettings.for_reporting(
        {"POWERTOOLS_LOG_LEVEL": "LOUD", "POWERTOOLS_SERVICE_NAME": "prod", "PASSWORD_LENGTH": "x"}
    )
    assert (settings.service, settings.log_level) == ("prod", "INFO")


def test_watchers_need_the_function_they_watch() -> None:
    with pytest.raises(ConfigurationInvalidError, match="ROTATION_FUNCTION_ARN"):
        WatchSettings.from_environment({"ROTATION_FUNCTION_ARN": ""})
    arn = "arn:aws:lambda:eu-central-1:123456789012:function:rotation"
    assert WatchSettings.from_environment({"ROTATION_FUNCTION_ARN": arn}).rotation_function_arn == arn
