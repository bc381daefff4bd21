"""The index of RFCs finds every citation, and says where it stands."""

import pytest

from tests.docs.internals.rfcs import FOLDERS, TITLES, Citation, citations, cited, said_by

SOURCE = '''"""RFC 1."""

# RFC 2, section 3.1: a comment of two lines is one, RFC 2
# section 4.
_VALUE = 1  # RFC 2 5.1
"""RFC 2 (section 6)."""


class A:
    """RFC 3's."""

    def f(self) -> None:
        """RFC 3, sections 1.2 and 3.4."""
        print("RFC 4")  # RFC 3 5
'''


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("RFC 5321, section 4.5.2.", [(5321, (4, 5, 2))]),
        ("(RFC 9110, 10.2.3)", [(9110, (10, 2, 3))]),
        ("RFC 5321\n    (section 4.5.3.2.6) wants", [(5321, (4, 5, 3, 2, 6))]),
        ("RFC 3463, sections 3.2 and 3.3: no", [(3463, (3, 2)), (3463, (3, 3))]),
        (
            "RFC 5321 4.3.2, RFC 3207 4, RFC 4954 6",
            [(5321, (4, 3, 2)), (3207, (4,)), (4954, (6,))],
        ),
        ("RFC 8058's field, RFC 3464", [(8058, ()), (3464, ())]),
    ],
)
def test_a_citation_is_read_however_it_is_written(
    text: str, found: list[tuple[int, tuple[int, ...]]]
) -> None:
    assert list(cited(text)) == found


def test_each_citation_has_the_name_that_it_belongs_to() -> None:
    found = [(name, each) for name, said in said_by(SOURCE) for each in cited(said)]
    assert sorted(found) == [
        ("", (1, ())),
        ("A", (3, ())),
        ("A.f", (3, (1, 2))),
        ("A.f", (3, (3, 4))),
        ("A.f", (3, (5,))),
        ("_VALUE", (2, (3, 1))),
        ("_VALUE", (2, (4,))),
        ("_VALUE", (2, (5, 1))),
        ("_VALUE", (2, (6,))),
    ]


def test_the_rules_of_replies_are_among_them() -> None:
    rule = Citation(5321, (4, 5, 3, 1, 10), "channels/email/replies.py", "_RULES")
    assert rule in citations(("channels",))


def test_no_title_is_left_over() -> None:
    assert {each.rfc for each in citations(FOLDERS)} == TITLES.keys()
