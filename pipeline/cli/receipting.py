"""What makes a sender leave receipts, as the settings say."""

from collections.abc import Callable

from pipeline.config import Settings
from pipeline.customerio.regions import Region, base_url_for
from pipeline.erasures import Erasures
from pipeline.ports import Clock, Sender
from pipeline.receipts.log import ReceiptLog, read_receipts
from pipeline.receipts.receipt import Namer, Receipt, hashed_name, plain_name
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


def receipted_erasures(settings: Settings) -> Erasures:
    """Return the erasures that the file of receipts tells of; none where there is no such file.

    Raises:
        ConfigurationError: the file, or the key of hashed names, cannot be read.
    """
    receipts = settings.receipts
    has_key = receipts.has_hash_key  # older receipts may be hashed where new ones are not
    erasures = Erasures(hashed_name(receipts.hash_key_secret.reveal().encode()) if has_key else None)
    if receipts.file is not None and receipts.file.exists():
        for _, receipt in read_receipts(receipts.file):
            if isinstance(receipt, Receipt):
                erasures.note_receipt(receipt.name, receipt.position, receipt.accepted_ms)
    return erasures


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
