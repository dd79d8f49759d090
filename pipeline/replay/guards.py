"""What must be decided by a person before a replay sends anything."""

from pipeline.errors import PipelineError
from pipeline.replay.bill import Bill
from pipeline.replay.choices import Choices


def check_campaigns(bill: Bill, choices: Choices) -> None:
    """Stop when events would be sent that may trigger campaigns and nobody has said what to do about them.

    Raises:
        PipelineError: with the choices there are.
    """
    if not bill.inside_window or choices.allow_campaigns:
        return
    hours = f"{bill.window_hours:g}"
    raise PipelineError(
        f"{bill.inside_window:,} events of this replay are not older than {hours} hours, so they may trigger campaigns"
        " and mail people again; nothing was sent. Choose one of:\n"
        "  --allow-campaigns    send them: those that were delivered before are dropped by their ids, if Customer.io"
        " still knows them\n"
        f"  --older-than {hours}h     send only what is older, and leave out every call about something newer\n"
        "  --drop-recent        leave these events out, and send the identifies and all else"
    )
