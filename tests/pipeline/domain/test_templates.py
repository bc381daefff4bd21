import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import escape

from pipeline.domain.errors import InputError, PermanentError
from pipeline.domain.models import Recipient
from pipeline.domain.templates import MAX_RENDERED, Template, template_values

ADA = Recipient(
    id="r1",
    email="ada@example.com",
    phone="+15550100",
    name="Ada Lovelace",
    locale="en",
    timezone="Europe/London",
    variables={"city": "London", "name": "not this", "link": "nor this"},
)
LINK = "https://claim.example.com/c/abc?x=1&y=2"
FIELDS = template_values(ADA, LINK)


def filled(source: str, *, html: bool = False, **fields: str) -> str:
    template = Template.compile(source, html=html, where="email.text")
    return template.render({**FIELDS, **fields})


def test_standard_fields_win_over_columns_of_the_same_name() -> None:
    assert template_values(ADA, LINK) == {
        "id": "r1",
        "email": "ada@example.com",
        "phone": "+15550100",
        "name": "Ada Lovelace",
        "locale": "en",
        "timezone": "Europe/London",
        "city": "London",
        "link": LINK,
    }


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Hello {{ name }}: {{ link }}", f"Hello Ada Lovelace: {LINK}"),
        ("{{ name.split()[0] }}", "Ada"),
        ("{{ name[:3]|upper }}", "ADA"),
        ("{% if city == 'London' %}here{% else %}there{% endif %}", "here"),
        ("{{ ''|default('friend', true) }}", "friend"),
        ("{% set first = name.split(' ')[0] %}{{ first ~ '!' }}", "Ada!"),
        ("{% for c in city %}{{ loop.index }}{{ c }}{% endfor %}", "1L2o3n4d5o6n"),
        ("{% raw %}{{ name }}{% endraw %}{# a note #}", "{{ name }}"),
    ],
)
def test_template_is_filled(source: str, expected: str) -> None:
    assert filled(source) == expected


def test_variables_are_those_that_somebody_must_provide() -> None:
    source = "{{ name }} {% set a = city %}{{ a }} {% for c in team %}{{ c }}{{ loop.index }}"

    template = Template.compile(source + "{% endfor %}", html=False, where="sms.body")

    assert template.variables == {"name", "city", "team"}


@given(value=st.text())
def test_value_is_inert_in_text(value: str) -> None:
    assert filled("<{{ name }}>", name=value) == f"<{value}>"


@given(value=st.text(alphabet="<>&\"'{}%ab") | st.text())
def test_value_is_inert_in_html(value: str) -> None:
    assert filled('<a href="{{ name }}">', html=True, name=value) == f'<a href="{escape(value)}">'


@pytest.mark.parametrize("value", ["{{ link }}", "{% for x in link %}", "{{ 7 * 7 }}", "{#"])
def test_value_is_never_rendered(value: str) -> None:
    assert filled("{{ name }}", name=value) == value


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("{{ name", 1, "unexpected end of template"),
        ("a\n\n{% if %}", 3, "Expected an expression"),
        ("{{ name|nonsense }}", 1, "No filter named 'nonsense'"),
        ("{{ name|safe }}", 1, "No filter named 'safe'"),
        ("{% for i in range(10**9) %}x{% endfor %}", 1, r"range\(\) cannot be called"),
        ("{{ name.upper(range(9)) }}", 1, r"range\(\) cannot be called"),
        ("{{ name.format(link) }}", 1, r"format\(\) cannot be called"),
        ("{{ name.ljust(10) }}", 1, r"ljust\(\) cannot be called"),
        ("a\n{% for a in name %}{% for b in name %}{% endfor %}{% endfor %}", 2, "a loop within"),
        ("{% for a in name recursive %}{% endfor %}", 1, "a loop within a loop"),
        ("{{ 'x' * 9 }}", 1, r"\* cannot be used"),
        ("{{ 9 ** 9 }}", 1, r"\*\* cannot be used"),
        ("{{ '%9d' % 1 }}", 1, "% cannot be used"),
        ("{{ name.__class__ }}", 1, 'no part called "__class__"'),
        ("{{ name['__class__'] }}", 1, "only numbers"),
        ("{{ name[link] }}", 1, "only numbers"),
        ("{{ self }}", 1, "self cannot be used"),
        ("{% include 'x' %}", 1, "include cannot be used"),
        ("{% macro m() %}{% endmacro %}", 1, "cannot be used"),
        ("{% set a = name %}\n{% set a = a ~ a %}", 2, "set can't use what was itself set"),
    ],
)
def test_a_template_that_cannot_be_compiled_is_named_by_place_line_and_reason(
    source: str, line: int, reason: str
) -> None:
    with pytest.raises(InputError, match=f"^email\\.html, line {line}: .*{reason}"):
        Template.compile(source, html=True, where="email.html")


@pytest.mark.parametrize("source", ["{{ " + "(" * 5000, "{{ " + "9" * 5000 + " }}"])
def test_absurd_template_is_refused_in_a_sentence(source: str) -> None:
    with pytest.raises(InputError, match=r"^sms\.body"):
        Template.compile(source, html=False, where="sms.body")


@pytest.mark.parametrize(
    "source", ["{{ unknown }}", "{{ lipsum }}", "{{ name + 1 }}", "{{ name|int|first }}"]
)
def test_a_template_that_cannot_be_filled_fails_the_recipient_and_shows_no_value(
    source: str,
) -> None:
    with pytest.raises(PermanentError) as caught:
        filled(source, name=LINK)

    error = caught.value
    assert error.code == "template_error"
    assert "email.text" in error.detail
    assert "claim.example" not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


def test_loop_over_a_long_value_is_bounded() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(PermanentError, match="OverflowError"):
            filled(
                "{% for c in name %}{{ city }}{% endfor %}", name="x" * 10_000, city="y" * 10_000
            )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 20_000_000, "without the bound 100 MB are made"


def test_message_may_be_as_long_as_the_bound() -> None:
    assert len(filled("{{ name }}", name="x" * MAX_RENDERED)) == MAX_RENDERED


LITERALS = st.sampled_from(
    ["", "Hello ", "<b>", "\n", "{# note #}", " & ", '"', "\n\n", "%", "\\"]
)
PLACES = st.sampled_from(["{{ name }}", "{{link}}", "{{- name -}}", "{{ id }}\n"])


@given(
    pieces=st.lists(LITERALS | PLACES, max_size=8),
    name=st.text(max_size=20),
    html=st.booleans(),
)
def test_a_plain_template_is_filled_as_jinja_fills_it(
    pieces: list[str], name: str, *, html: bool
) -> None:
    source = "".join(pieces)
    fields = {"name": name, "link": "https://x.example/?a&b", "id": "<1>"}
    environment = SandboxedEnvironment(autoescape=html, undefined=StrictUndefined)
    expected = environment.from_string(source).render(fields)
    assert Template.compile(source, html=html, where="w").render(fields) == expected
