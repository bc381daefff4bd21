"""Whatever an answer looks like: exactly the links that were ordered, or none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.errors import InputError
from pipeline.rewards.links import LinksProblem, compile_path, extract_links

A, B, C = (f"https://claim.example/{token}" for token in ("aaa111", "bbb222", "ccc333"))
TERMS = "https://www.example/terms"


def _code(document: object, quantity: int = 2, path: str | None = None) -> str:
    with pytest.raises(LinksProblem) as caught:
        extract_links(document, quantity, path=path)
    assert "://" not in str(caught.value)
    assert "claim.example" not in str(caught.value)
    return caught.value.code


def _links_or_problem(
    document: object, quantity: int, path: str | None = None
) -> tuple[str, ...] | LinksProblem:
    try:
        return extract_links(document, quantity, path=path)
    except LinksProblem as problem:
        return problem


def _items(**fields: object) -> dict[str, object]:
    return {"Id": "1", "Status": "Completed", "LineItems": [{"ProductId": "CVS", **fields}]}


@pytest.mark.parametrize(
    "document",
    [
        _items(Links=[A, B]),
        _items(Links=[{"Url": A}, {"Url": B}]),
        _items(ClaimLinks=[A, B]),
        _items(RewardLinks=[{"Id": 1, "URI": A, "Status": "Active"}, {"Id": 2, "URI": B}]),
        _items(Cards=[{"Link": {"Url": A}}, {"Link": {"Url": B}}]),
        _items(Links=[{"Link": A}, {"Link": B}]),
        _items(Links=[[A], [B]]),
        _items(Links=[f" {A}\n", B]),
        _items(Links=[A, None, B, ""]),
        _items(Links=[{"Url": A, "TermsUrl": TERMS}, {"Url": B, "TermsUrl": TERMS}]),
        _items(Links=[A, B], LinkType="Url", LinkId="77", LinkCount=2, Logo="https://x.example/l"),
        {"LineItems": [{"Links": [A]}, {"Links": [B]}]},
        {"line_items": [{"links": [A, B]}]},
        {"Links": [A, B]},
        {"Links": [{"Url": A}, {"Url": B}], "LineItems": [{"ProductId": "CVS"}]},
        {"ClaimLinks": [{"ClaimLink": A}, {"ClaimLink": B}]},
        {**_items(Links=[A, B]), "_links": {"self": {"href": "https://api.example/v1/Orders/1"}}},
        {**_items(Links=[A, B]), "links": [{"rel": "self", "url": "https://api.example/1"}]},
        {**_items(Links=[A, B]), "Links": [A, B]},
        {**_items(Links=[A, B]), "Meta": {"HelpLinks": [TERMS]}},
    ],
)
def test_links_are_found_in_document_order(document: object) -> None:
    assert extract_links(document, 2, path=None) == (A, B)


def test_order_is_the_documents_own() -> None:
    assert extract_links(_items(Links=[B, A]), 2, path=None) == (B, A)
    assert extract_links({"LineItems": [{"Links": [C]}, {"Links": [B, A]}]}, 3, path=None) == (
        C,
        B,
        A,
    )


def test_a_link_is_returned_as_it_is_written() -> None:
    odd = "HTTPS://Claim.Example:443/x%2Fy?b=1&a=2#/open/Zz"
    assert extract_links(_items(Link=odd), 1, path=None) == (odd,)
    idn = "https://bücher.example/1"
    assert extract_links(_items(Link=idn), 1, path=None) == (idn,)


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        None,
        "https://claim.example/aaa111",
        [{"Links": [A, B]}],
        _items(),
        _items(Links=[]),
        _items(Links=None),
        _items(Links=[None, ""]),
        _items(Urls=[A, B]),
        _items(Links={"1": A, "2": B}),
        {"Order": {"Links": [A, B]}},
        {"Meta": {"Links": [A, B]}},
        {"_links": {"self": {"href": A}, "next": {"href": B}}},
        {"Links": [{"Meta": {"Link": A}}, {"Meta": {"Link": B}}]},
    ],
)
def test_no_links_where_they_may_be_is_links_missing(document: object) -> None:
    assert _code(document) == "links_missing"


@pytest.mark.parametrize(
    "document",
    [
        _items(Links=[A, B], ClaimLinks=[A, B]),
        _items(Links=[A, B], ShortLinks=[A, B]),
        _items(Links=[{"Url": A, "Link": A}, {"Url": B, "Link": B}]),
        _items(Links=[A, {"Url": B}]),
        _items(Links=[A, B], TermsLink=TERMS),
        _items(**{"Links": [A, B], f"{C} link": A}),
        {"LineItems": [{"Links": [A]}, {"links": [B]}]},
        {"Links": [A, B], "ClaimLinks": [A, B]},
        {**_items(Links=[A, B]), "Links": [A, C]},
        {**_items(Links=[A, B]), "Links": [B, A]},
    ],
)
def test_two_places_that_may_hold_the_links_are_ambiguous(document: object) -> None:
    assert _code(document) == "links_ambiguous"


@pytest.mark.parametrize(
    "key", ["TermsLink", "LogoLink", "SelfLink", "ProductLink", "LinkedInUrl", "TrackingLink"]
)
def test_the_only_link_of_a_small_order_is_not_money_if_its_name_says_otherwise(key: str) -> None:
    assert _code(_items(**{key: A}), 1) in {"links_ambiguous", "links_missing"}


def test_a_link_of_the_right_number_in_the_line_items_does_not_hide_the_true_one() -> None:
    assert _code({**_items(ItemLink=TERMS), "Links": [A]}, 1) == "links_ambiguous"


def test_too_few_and_too_many_say_how_many() -> None:
    with pytest.raises(LinksProblem, match="3 links were ordered and 2 shown") as caught:
        extract_links(_items(Links=[A, B]), 3, path=None)
    assert (caught.value.code, caught.value.found) == ("links_short", 2)
    assert _code(_items(Links=[A, B]), 1) == "links_many"
    assert _code({"LineItems": [{"Links": [A, B]}, {"Links": [C]}]}) == "links_many"


@pytest.mark.parametrize(
    "second",
    [
        A,
        f" {A} ",
        A.replace("claim", "CLAIM"),
        A.replace(".example/", ".example:443/"),
        A.replace(".example/", ".example./"),
        A + "/",
        A.replace("aaa", "%61aa"),
    ],
)
def test_one_link_twice_is_a_duplicate_however_it_is_written(second: str) -> None:
    assert _code(_items(Links=[A, second])) == "links_duplicate"


@pytest.mark.parametrize("second", [A.replace("aaa", "AAA"), A + "?x", A + "#x", A + "/x"])
def test_links_that_may_lead_elsewhere_are_two(second: str) -> None:
    assert extract_links(_items(Links=[A, second]), 2, path=None) == (A, second)


def test_escapes_that_are_no_text_still_tell_links_apart() -> None:
    links = (f"{A}%ff", f"{A}%fe")
    assert extract_links(_items(Links=list(links)), 2, path=None) == links


@pytest.mark.parametrize(
    "link",
    [
        "http://claim.example/x",
        "ftp://claim.example/x",
        "javascript://claim.example/x",
        "//claim.example/x",
        "https://",
        "https:///x",
        "https://?x",
        "https://user:pw@claim.example/x",
        "https://claim.example@evil.example/x",
        "https://claim.example\\@evil.example/x",
        "https://claim.example/a b",
        "https://claim.example/a\nb",
        "https://claim.example/\u202ex",
        "https://claim.example/\u200bx",
        'https://claim.example/"onclick=',
        "https://claim.example/<b>",
        "https://claim.example/{token}",
        "https://claim..example/x",
        "https://cl%61im.example/x",
        "https://claim.example:99999/x",
        "https://claim.example:x/",
        "https://[::1/x",
        "https://claim.example/\ud800",
        "https://claim.example/" + "x" * 3000,
        "<https://claim.example/x>",
        "N/A://",
        17,
        True,
    ],
)
def test_an_improper_https_url_is_never_a_link(link: object) -> None:
    assert _code(_items(Links=[A, link])) == "links_not_https"
    assert _code(_items(Links=[A, link]), path="LineItems[].Links[]") in {
        "links_not_https",
        "links_path_invalid",
    }


@pytest.mark.parametrize(
    "second",
    ["https://other.example/x", "https://claim.example:8443/x", "https://x.claim.example/x"],
)
def test_links_of_two_origins_are_held_unless_a_path_was_set(second: str) -> None:
    document = _items(Links=[A, second])
    assert _code(document) == "links_mixed_origins"
    assert extract_links(document, 2, path="LineItems[].Links[]") == (A, second)


@pytest.mark.parametrize(
    "path",
    ["LineItems[].Gifts[].Open", "LineItems[*].Gifts[*].Open", "LineItems[0].Gifts[].Open"],
)
def test_a_path_settles_where_the_links_are(path: str) -> None:
    document = _items(Gifts=[{"Open": A}, {"Open": B}], Links=[C], ClaimLinks=[C])
    assert extract_links(document, 2, path=path) == (A, B)


def test_a_path_may_lead_to_a_single_text() -> None:
    assert extract_links({"Gift": A}, 1, path="Gift") == (A,)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("Nowhere", "links_missing"),
        ("LineItems[].Links", "links_path_invalid"),
        ("LineItems", "links_path_invalid"),
        ("length(Id)", "links_path_invalid"),
        ("join(LineItems, LineItems)", "links_path_invalid"),
        ("LineItems[", "links_path_invalid"),
        ("", "links_path_invalid"),
        ("LineItems[].Links[].Url | [0]", "links_short"),
    ],
)
def test_a_path_that_leads_elsewhere_releases_nothing(path: str, code: str) -> None:
    assert _code(_items(Links=[{"Url": A}, {"Url": B}]), path=path) == code


def test_a_path_is_checked_at_start_up() -> None:
    compile_path("LineItems[].Links[].Url")
    for path in ("", "LineItems[", "a..b", "nosuch(", "a.'"):
        with pytest.raises(InputError, match="LINKS_PATH is not a JMESPath") as caught:
            compile_path(path)
        assert "\n" not in str(caught.value)


@given(st.text())
def test_any_path_is_accepted_or_refused_in_one_way(path: str) -> None:
    try:
        compile_path(path)
    except InputError:
        assert _code(_items(Links=[A, B]), path=path) == "links_path_invalid"


KEYS = st.sampled_from(
    ["LineItems", "Links", "links", "Link", "Url", "Uri", "ClaimLinks", "Terms", "Id", "https://x"]
)
URLS = st.sampled_from([A, B, C, TERMS, f" {A}", A.upper(), "http://x", "https://a@b/", "x", ""])
SCALARS = URLS | st.text() | st.integers() | st.floats() | st.none() | st.booleans()
SHAPES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(KEYS | st.text(), inner),
    max_leaves=12,
)
PATHS = st.sampled_from(
    [None, "LineItems[].Links[]", "LineItems[].Links[].Url", "Links", "@", "*", "sort(Links)"]
)


@given(st.dictionaries(KEYS, SHAPES) | SHAPES, st.integers(1, 4), PATHS)
def test_any_document_gives_the_exact_links_or_a_problem(
    document: object, quantity: int, path: str | None
) -> None:
    links = _links_or_problem(document, quantity, path)
    if isinstance(links, LinksProblem):
        assert links.code.startswith("links_")
        assert "://" not in str(links)
    else:
        shown = json.dumps(document, ensure_ascii=False)
        assert len({link.lower() for link in links}) <= len(set(links)) == quantity
        assert all(link.lower().startswith("https://") for link in links)
        assert all(json.dumps(link, ensure_ascii=False)[1:-1] in shown for link in links)


@given(
    st.lists(st.uuids().map("https://claim.example/{}".format), min_size=1, unique=True),
    st.integers(-2, 2),
)
def test_only_the_number_that_was_ordered_is_released(links: list[str], more: int) -> None:
    quantity = len(links) + more
    found = _links_or_problem(_items(Links=links), quantity)
    if isinstance(found, LinksProblem):
        assert more != 0
        assert found.found == len(links)
    else:
        assert more == 0
        assert found == tuple(links)
