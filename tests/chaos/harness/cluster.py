"""Apache Kafka that each worker reaches by proxies of its own: one advertised listener a worker and broker."""

from tests.chaos.harness.proxy import Proxies, Proxy
from tests.servers.apache_kafka import ApacheKafka

HEAP_MB = 192


def _listener(worker: int) -> str:
    return f"WORKER{worker}"


class ProxiedKafka(ApacheKafka):
    """`proxies[worker, broker]` lies between them; brokers and workers count from 0."""

    def __init__(self, proxies: Proxies, workers: int, brokers: int = 3) -> None:
        self._opened, self._workers = proxies, workers
        self.proxies: dict[tuple[int, int], Proxy] = {}
        super().__init__(
            brokers,
            HEAP_MB,
            properties={
                "min.insync.replicas": str(min(2, brokers)),
                "num.network.threads": "1",  # for each listener
                "num.io.threads": "2",
                "log.cleaner.dedupe.buffer.size": "4194304",
            },
            listeners={_listener(worker): "PLAINTEXT" for worker in range(workers)},
        )

    def addresses_for(self, worker: int) -> str:
        """Return the bootstrap servers of a worker, all of them proxies."""
        ports = [proxy.port for (who, _), proxy in self.proxies.items() if who == worker]
        return ",".join(f"127.0.0.1:{port}" for port in ports)

    def _node(self, index: int) -> dict[str, str]:
        advertised = [f"PLAIN://127.0.0.1:{self._ports[index]['PLAIN']}"]
        for worker in range(self._workers):
            proxy = self._opened.open(self._ports[index][_listener(worker)])
            self.proxies[worker, index] = proxy
            advertised.append(f"{_listener(worker)}://127.0.0.1:{proxy.port}")
        return {**super()._node(index), "advertised.listeners": ",".join(advertised)}
