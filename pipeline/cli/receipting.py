"""What makes a sender leave receipts, as the settings say."""

from collections.abc import Callable

from pipeline.config import Settings
from pipeline.customerio.regions import Region, base_url_for
from pipeline.ports import Clock, Sender
from pipeline.receipts.log import ReceiptLog
from pipeline.receipts.receipt import Namer, hashed_name, plain_name
from pipeline.receipts.sender import ReceiptedSender


def open_receipting(settings: Settings, clock: Clock) -> Callable[[Sender], Sender]:
    """Open the file of receipts, if there is to be one, and return what a sender is wrapped in.

    Raises:
        ConfigurationError: the file cannot be written, or the key of hashed names cannot be read.
    """
    if settings.receipts.file is None:
        return lambda sender: sender
    name = namer(settings)
    log = ReceiptLog(settings.receipts.file)
    return lambda sender: ReceiptedSender(sender, log, clock, name=name, sent_to=_receiver(settings))


def namer(settings: Settings) -> Namer:
    """Return how receipts name people.

    Raises:
        ConfigurationError: the key of hashed names cannot be read.
    """
    if settings.receipts.person == "plain":
        return plain_name
    return hashed_name(settings.receipts.hash_key_secret.reveal().encode())


def _receiver(settings: Settings) -> str:
    region, base_url = Region(settings.customerio.region), settings.customerio.base_url
    if region is Region.AUTO and base_url is None:
        return "Customer.io, in the account's region"
    return base_url_for(region, base_url)
