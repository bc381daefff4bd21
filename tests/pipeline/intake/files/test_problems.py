from pipeline.intake.files.problems import Problem


def test_problem_is_one_line_with_all_it_knows_of_the_place() -> None:
    problem = Problem(where="c.toml", line=3, column=5, field="id", message="is missing; add it")

    assert str(problem) == "c.toml, line 3, column 5: id: is missing; add it"
    assert str(Problem(where="recipients", message="is empty")) == "recipients: is empty"


def test_names_from_the_file_cannot_write_to_the_terminal_or_flood_it() -> None:
    problem = Problem(where="a\x1b[31m\n", field="x" * 1000, message="is wrong")

    assert str(problem).isprintable()
    assert len(str(problem)) < 120


def test_json_form_has_every_part() -> None:
    assert Problem(where="p.csv", line=3, message="is wrong").as_json() == {
        "where": "p.csv",
        "message": "is wrong",
        "line": 3,
        "column": None,
        "field": None,
    }
