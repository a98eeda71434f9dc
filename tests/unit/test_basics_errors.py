"""The tree of errors: one root, an exit code and a culprit for each, and no exit code given twice a meaning."""

from litestreamd.basics import errors
from litestreamd.basics.errors import ExitCode, Fault, LitestreamdError


def classes() -> list[type[LitestreamdError]]:
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    return [value for value in found if issubclass(value, LitestreamdError) and value is not LitestreamdError]


def test_every_error_says_whose_fault_it_is_and_explains_itself() -> None:
    assert len(classes()) > 10
    for error in classes():
        assert isinstance(error.exit_code, ExitCode), error
        assert isinstance(error.fault, Fault), error
        assert error.fault is not Fault.BUG, error
        assert error.__doc__, error


def test_no_error_is_a_success() -> None:
    assert all(error.exit_code is not ExitCode.OK for error in [LitestreamdError, *classes()])


def test_a_retry_is_only_offered_where_somebody_else_may_mend_it() -> None:
    for error in classes():
        if error.retry:
            assert error.fault in {Fault.STORE, Fault.ENVIRONMENT}, error


def test_exit_codes_are_those_of_the_manual() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "STALE": 2,
        "FAILING": 3,
        "USAGE": 64,
        "DAMAGED": 65,
        "UNREACHABLE": 69,
        "LEFT_BEHIND": 73,
        "BUSY": 75,
        "RIGHTS": 77,
        "CONFIG": 78,
    }


def test_the_text_of_an_error_is_its_sentence() -> None:
    assert str(errors.StoreMissing("no disk at /backup")) == "no disk at /backup"
