import os
import socket
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.intake.campaign_file import campaign_from_dict, load_campaign
from tests.pipeline.intake.builders import campaign_data

SOUND = """\
id = "survey-2026-11"
name = "November survey"
[reward]
product_id = "CVS"
value = "10.00"
[delivery]
channels = ["email"]
[email]
subject = "Your reward"
text = "{{ link }}"
"""

ID_RULE = "must be 1 to 40 lower-case letters, digits and hyphens, and not begin with a hyphen"
OPEN_BRACES = "unexpected end of template, expected 'end of print statement'"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "c.toml"


NO_TOML = ", not a text file; name a campaign file, which is text in TOML"
NOT_CLOSED = (
    "is not valid TOML: a text in quotation marks is not closed on its line; close it with the "
    "quotation mark that it begins with"
)
ENDS_INSIDE = (
    "is not valid TOML: the file ends inside a text in quotation marks; close it with the "
    "quotation mark that it begins with"
)


def told(file: Path, content: str | bytes) -> list[str]:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    campaign, problems = load_campaign(file)
    assert (campaign is None) == bool(problems)
    return [str(problem) for problem in problems]


def test_sound_file_is_a_campaign(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + SOUND.replace("\n", "\r\n").encode())

    campaign, problems = load_campaign(file)

    assert problems == []
    assert campaign is not None
    assert campaign.reward.value == Decimal("10.00")


def test_templates_beside_the_file_are_read(file: Path) -> None:
    (file.parent / "parts").mkdir()
    (file.parent / "parts" / "t.txt").write_bytes("\ufeffGrüße\r\n{{ link }}\r\n".encode())
    (file.parent / "m.html").write_text("<p>{{ link }}</p>", "utf-8")
    file.write_text(
        SOUND.replace('text = "{{ link }}"', 'text_file = "parts/t.txt"\nhtml_file = "m.html"')
    )

    campaign, _ = load_campaign(file)

    assert campaign is not None
    assert campaign.email is not None
    assert campaign.email.text == "Grüße\n{{ link }}\n"
    assert campaign.email.html == "<p>{{ link }}</p>"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("id = \n", "c.toml, line 1, column 6: is not valid TOML: invalid value"),
        ("id = 'x'\nid = 'y'\n", "c.toml, line 2, column 9: is not valid TOML: cannot overwrite"),
        ('id = "x"\ntext = """\n a', f"c.toml, line 3, column 3: {ENDS_INSIDE}"),
        ("id = 'x'\ntext = '''\n a", f"c.toml, line 3, column 3: {ENDS_INSIDE}"),
        ('id = "x\nname = "y"\n', f"c.toml, line 1, column 8: {NOT_CLOSED}"),
        ('id = "x\r\nname = "y"\r\n', f"c.toml, line 1, column 8: {NOT_CLOSED}"),
        ("id = 'x\nname = 'y'\n", f"c.toml, line 1, column 8: {NOT_CLOSED}"),
        ('id = "x', f"c.toml, line 1, column 8: {ENDS_INSIDE}"),
        ("id = 'x", f"c.toml, line 1, column 8: {ENDS_INSIDE}"),
        ("a = " + "[" * 100_000, "c.toml: is nested too deeply"),
        ("a = " + "1" * 5000, "c.toml: holds a number that is too long"),
        (b"id = '\xe4'\n", "c.toml, line 1: holds the byte 0xE4, which is not UTF-8"),
        (b"\xff\xfei\0d\0", "c.toml: is UTF-16 text; save it as UTF-8"),
        (b"PK\x03\x04", f"c.toml: looks like an Excel or zip file{NO_TOML}"),
        (b"\x7fELF\0\0", f"c.toml: looks like a binary file{NO_TOML}"),
        ("#" * 1_000_001, "c.toml: is larger than 1,000,000 bytes"),
    ],
)
def test_file_that_is_no_toml_is_one_sentence(
    file: Path, content: str | bytes, problem: str
) -> None:
    problems = told(file, content)

    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_path_that_cannot_be_read_is_one_sentence(file: Path) -> None:
    loop = file.parent / "loop.toml"
    loop.symlink_to(loop)
    with socket.socket(socket.AF_UNIX) as listener:
        # A short name: the path of a socket has little room.
        here = Path.cwd()
        os.chdir(file.parent)
        try:
            listener.bind("s.toml")
        finally:
            os.chdir(here)

    def only(path: Path) -> str:
        campaign, [problem] = load_campaign(path)
        assert campaign is None
        return str(problem)

    socket_path = file.parent / "s.toml"
    assert only(file) == f"{file}: does not exist; check the path"
    assert only(Path()) == ".: is a folder; name the file in it"
    assert only(loop).startswith(f"{loop}: cannot be read: Too many levels")
    assert only(socket_path).startswith(f"{socket_path}: cannot be read: No such device")
    assert only(Path("a\0b")).endswith("cannot be read: its name cannot be used")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_file_without_permission_is_one_sentence(file: Path) -> None:
    file.touch(0o000)

    assert "permissions" in str(load_campaign(file)[1][0])


def test_everything_wrong_is_reported_at_once_by_line(file: Path) -> None:
    content = """\
id = "Survey"
nmae = "x"
subject = "y"
[reward]
product_id = 3
value = 10.5
currency = "usd"
max_total = "0"
[delivery]
channels = ["email", "sms"]
mode = "both"
window = { start = 9, end = "25:00" }
[email]
subject = "a\\nb"
text_file = "nope.txt"
html = "<p>{{ link"
[limits]
email = "fast"
sms = 20
"""

    assert [problem.removeprefix("c.toml, ") for problem in told(file, content)] == [
        "c.toml: name: is missing; add name = …",
        f"line 1: id: {ID_RULE}",
        'line 2: nmae: is not a key of a campaign file (did you mean "name"?)',
        "line 3: subject: does not belong here; move it to the section [email]",
        "line 5: reward.product_id: must be text in quotation marks",
        'line 6: reward.value: write the amount as a string, e.g. "10.00"',
        'line 7: reward.currency: must be three capital letters such as "USD"',
        "line 8: reward.max_total: must be more than zero",
        "line 10: delivery.channels: names sms, but there is no section [sms]; add one",
        'line 11: delivery.mode: must be "first" or "all"',
        'line 12: delivery.window.end: must be a time of day such as "09:00"',
        "line 14: email.subject: must be one line without control characters",
        "line 15: email.text_file: does not exist; check the path",
        f"line 16: email.html: cannot be used: line 1: {OPEN_BRACES}",
        'line 18: limits.email: "fast" is not a rate such as 5/s, 300/m, 1000/h or unlimited',
        "line 19: limits.sms: must be text in quotation marks",
    ]


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../t.txt", "a/../../t.txt", "..\\t.txt", "C:\\t.txt", "", "a\\u0000b"]
)
def test_template_file_must_be_beside_the_campaign_file(file: Path, name: str) -> None:
    name = name.replace("\\", "\\\\") if "u0000" not in name else name

    problems = told(file, SOUND.replace('text = "{{ link }}"', f'text_file = "{name}"'))

    assert [
        problem.removeprefix("c.toml, line 10: email.text_file: ") for problem in problems
    ] == ["must name a file in or below the folder of the campaign file"]


def test_template_file_that_is_not_utf8_is_reported_with_its_line(file: Path) -> None:
    (file.parent / "t.txt").write_bytes(b"Hello\n{{ link }} \xe9")

    [problem] = told(file, SOUND.replace('text = "{{ link }}"', 'text_file = "t.txt"'))

    assert problem == (
        "c.toml, line 10: email.text_file: holds the byte 0xE9, which is not UTF-8; save it as "
        "UTF-8 (on its line 2)"
    )


def test_text_cannot_be_given_twice(file: Path) -> None:
    [problem] = told(file, SOUND + 'text_file = "t.txt"\n')

    assert "stands beside the same text in the file itself" in problem


def problems_of(data: object) -> list[str]:
    campaign, problems = campaign_from_dict(data)
    assert (campaign is None) == bool(problems)
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"reward": None}, "reward: must be a section that begins with the line [reward]"),
        ({"delivery": {"channels": []}}, "delivery.channels: must name at least one channel"),
        ({"delivery": {"channels": "email"}}, "delivery.channels: must be a list such as"),
        ({"delivery": {"channels": ["fax"]}}, 'delivery.channels: must be "email", "sms" or'),
        ({"delivery": {}}, "delivery.channels: is missing; add channels = …"),
        ({"delivery": {"channels": ["email"] * 2}}, "delivery: channels names a channel twice"),
        ({"delivery": {"channels": ["sms"]}}, "delivery.channels names sms, but there is no"),
        ({"delivery": {"channels": ["sms"]}, "sms": None}, "delivery.channels names sms, but"),
        ({"reward": {"product_id": "", "value": "1"}}, "reward.product_id: must not be empty"),
        ({"reward": {"product_id": "x" * 201, "value": "1"}}, "must have at most 200 characters"),
        ({"reward": {"product_id": "x", "value": "NaN"}}, 'must be an amount such as "10.00"'),
        ({"reward": {"product_id": "x", "value": "1e20"}}, "reward.value: is too large an amount"),
        ({"reward": {"product_id": "x", "value": "0.001"}}, "must have at most two digits after"),
        ({"reward": {"product_id": "x", "value": []}}, 'must be an amount such as "10.00"'),
        ({"name": "\ud800"}, "name: holds a character that is not valid text"),
        ({"name": ""}, "name: must not be empty"),
        ({"email": {"subject": "x"}}, "email.text: is missing; write text = "),
        ({"zzz": 1}, "zzz: is not a key of a campaign file; known here are id, name, reward"),
        ({"limits": {"emial": "1/s"}}, "limits.emial: is not a key of a campaign file (did you"),
        (
            {"email": {"subject": "x", "text_file": "/etc/passwd"}},
            "email.text_file: works only in a campaign file; send the text itself",
        ),
    ],
)
def test_fault_is_reported_in_plain_words(changes: dict[str, Any], problem: str) -> None:
    problems = problems_of(campaign_data(**changes))

    assert len(problems) == 1
    assert problem in problems[0]


def test_data_that_is_no_object_is_one_sentence() -> None:
    assert problems_of([1]) == ["campaign: must be an object with the keys of a campaign file"]


def test_data_given_is_not_changed() -> None:
    data = campaign_data(email={"subject": "x", "text_file": "x"})

    campaign_from_dict(data)

    assert data["email"] == {"subject": "x", "text_file": "x"}


@settings(deadline=None)  # the machine may be busy
@given(content=st.binary() | st.text(alphabet="[]={}\"'.\n ax1").map(str.encode))
def test_no_bytes_crash_the_reader(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    assert told(tmp_path_factory.getbasetemp() / "c.toml", content)


keys = st.sampled_from(
    ["id", "reward", "email", "delivery", "channels", "text", "value", "window"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(keys | st.text(max_size=3), values))
def test_no_data_crashes_the_check_and_messages_have_no_jargon(data: dict[str, object]) -> None:
    for changed in (data, campaign_data(**data)):
        _, problems = campaign_from_dict(changed)

        for problem in problems:
            assert "Input should" not in problem.message
            assert problem.message != "has a value that cannot be used here"
