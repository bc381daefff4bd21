"""The list of defects cannot rot: each still fits the code, and its test is there."""

import re

import pytest

from tests.mutants.__main__ import main
from tests.mutants.defect import Defect
from tests.mutants.defects import DEFECTS
from tests.mutants.proof import Run, Verdict, applied, judge, workshop
from tests.support.root import ROOT

SOME = DEFECTS[0]
RED = f"FAILED {SOME.test} - assert 1 == 2\n"


def text_of(defect: Defect) -> str:
    return (ROOT / defect.path).read_text("utf-8")


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_each_fits_the_code_as_it_is(defect: Defect) -> None:
    changed = applied(defect, text_of(defect))
    assert changed != text_of(defect)
    if defect.path.endswith(".py"):
        compile(changed, defect.path, "exec")


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_the_test_of_each_is_there(defect: Defect) -> None:
    path, _, name = defect.test.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text("utf-8")


def test_each_has_a_name_of_its_own() -> None:
    names = [defect.name for defect in DEFECTS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)+", name) for name in names)


def test_a_defect_that_does_not_fit_is_reported() -> None:
    with pytest.raises(ValueError, match=f"{SOME.name}.* stands 0 times in {SOME.path}"):
        applied(SOME, "something else")
    with pytest.raises(ValueError, match="stands 2 times"):
        applied(SOME, SOME.old * 2)


@pytest.mark.parametrize(
    ("status", "output", "verdict"),
    [
        (1, RED, Verdict.CAUGHT),
        (0, "1 passed", Verdict.SURVIVED),
        (None, RED, Verdict.HUNG),
        (2, "Interrupted: 1 error during collection", Verdict.NONSENSE),
        (1, f"ERROR {SOME.test} - OSError", Verdict.NONSENSE),
        (1, "FAILED tests/test_other.py::test_other", Verdict.NONSENSE),
        (1, f"{RED}E   ResponseError: Error compiling script (new function)", Verdict.NONSENSE),
        (1, f"{RED}E   NameError: name 'x' is not defined", Verdict.NONSENSE),
    ],
)
def test_only_a_test_that_failed_has_caught_something(
    status: int | None, output: str, verdict: Verdict
) -> None:
    assert judge(Run(status, output, 1.0), SOME) is verdict


def test_the_copy_runs_its_own_code_and_is_removed() -> None:
    before = text_of(SOME)
    with workshop() as copy:
        assert copy.imports_itself()
        with copy.with_defect(SOME):
            assert copy.text(SOME.path) == applied(SOME, before)
            assert text_of(SOME) == before
        assert copy.text(SOME.path) == before
    assert not copy.directory.exists()


def test_an_unknown_name_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["mutants", "no-such-defect"])
    with pytest.raises(SystemExit, match=r"no-such-defect.*fencing-check-removed"):
        main()
