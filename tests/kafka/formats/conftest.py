"""One registry for the tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.kafka.formats.apicurio import Apicurio, ApicurioUnavailableError
from tests.servers.requirements import missing


@pytest.fixture(scope="session")
def apicurio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apicurio]:
    """Apicurio Registry for the whole session; tests keep apart by their subjects."""
    try:
        registry = Apicurio(tmp_path_factory.mktemp("apicurio"))
    except ApicurioUnavailableError as error:
        missing(str(error))
    with registry:
        yield registry
