"""The generated parts of docs/internals/data-model.md, by the names of their marks."""

from collections.abc import Callable, Sequence

from tests.docs.data_model import tables
from tests.docs.data_model.dictionary import arq_keys, letters, purposes

PAGE = "docs/internals/data-model.md"
PARTS: Sequence[tuple[str, str, Callable[[], str]]] = (
    (PAGE, "data model keys", tables.keys_markdown),
    (PAGE, "data model batch", tables.batch_markdown),
    (PAGE, "data model campaign", tables.campaign_markdown),
    (PAGE, "data model fields", tables.other_fields_markdown),
    (PAGE, "data model letters", letters.markdown),
    (PAGE, "data model seals", purposes.seals_markdown),
    (PAGE, "data model digests", purposes.digests_markdown),
    (PAGE, "data model arq", arq_keys.markdown),
    (PAGE, "data model library", tables.library_markdown),
)
