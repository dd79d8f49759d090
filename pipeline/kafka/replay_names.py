"""Which replays Kafka knows of: the groups that keep their progress."""

from collections.abc import Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.replay_client import failure
from pipeline.kafka.replay_progress import KeptReplay, group_of, read_commits


def known_replays(options: KafkaOptions) -> Mapping[str, KeptReplay]:
    """Return the replays beside the live group `options.group_id`, by name.

    Raises:
        PipelineError: the brokers do not answer, or refuse.
    """
    admin = AdminClient(
        {**options.properties, "bootstrap.servers": options.bootstrap_servers, "log_level": 0}
    )
    prefix, timeout_s = group_of(options.group_id, ""), options.lookup_timeout_s
    try:
        groups = admin.list_consumer_groups(request_timeout=timeout_s).result(timeout_s + 5).valid
        names = sorted(group.group_id for group in groups or () if group.group_id.startswith(prefix))
        found = {}
        for group in names:
            asked = [ConsumerGroupTopicPartitions(group)]
            commits = admin.list_consumer_group_offsets(asked, request_timeout=timeout_s)[group]
            kept = read_commits(commits.result(timeout_s + 5).topic_partitions)
            if kept is not None:
                found[group.removeprefix(prefix)] = kept
    except KafkaException as exception:
        raise failure("list the replays", options, exception) from None
    return found
