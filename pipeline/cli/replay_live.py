"""The live pipeline's rules beside a replay's own: they tell whom the records erase."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pipeline.cli.assembly import open_translator
from pipeline.cli.replay_arguments import ReplayArguments
from pipeline.config import Settings
from pipeline.errors import ConfigurationError
from pipeline.translation import Translator


@contextmanager
def open_live(settings: Settings, arguments: ReplayArguments) -> Iterator[Translator | None]:
    """Build what makes calls as the live pipeline does; None where a replay has the same rules or need not know.

    Raises:
        ConfigurationError: a live mapping file cannot be used.
    """
    with ExitStack() as open_things:
        if not arguments.mapping or arguments.include_erased:
            yield None
            return
        try:
            live = open_things.enter_context(open_translator(settings))
        except ConfigurationError as error:
            raise ConfigurationError(
                f"{error}\nthe live rules tell who was erased; --include-erased does without them"
            ) from None
        yield live
