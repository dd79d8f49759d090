"""Apache Kafka with TLS, passwords and rights: certificates from the JDK's keytool, users alice and bob."""

import subprocess
from pathlib import Path

from tests.servers.apache_kafka import ApacheKafka

STORE_PASSWORD = "a-store-password"
ALICE, BOB = "alices-password", "bobs-password"


def keytool(*arguments: str) -> None:
    """Run the JDK's keytool with the password of all stores here."""
    command = ["keytool", *arguments, "-storepass", STORE_PASSWORD]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


class Certificates:
    """A server's and a client's key, each trusted by the other."""

    def __init__(self, folder: Path) -> None:
        self.server_store, self.client_store = folder / "server.p12", folder / "client.p12"
        self.server_trust, self.authority = folder / "trust.p12", folder / "server.pem"
        for store, name in ((self.server_store, "127.0.0.1"), (self.client_store, "client")):
            keytool(
                *("-genkeypair", "-alias", name, "-keyalg", "RSA", "-dname", f"CN={name}"),
                *("-ext", "san=ip:127.0.0.1", "-keystore", str(store), "-storetype", "PKCS12"),
            )
            keytool(
                "-exportcert", "-rfc", "-alias", name, "-keystore", str(store), "-file", str(store) + ".pem"
            )
        Path(str(self.server_store) + ".pem").rename(self.authority)
        keytool(
            *("-importcert", "-noprompt", "-alias", "client", "-file", str(self.client_store) + ".pem"),
            *("-keystore", str(self.server_trust), "-storetype", "PKCS12"),
        )


def secure_kafka(certificates: Certificates) -> ApacheKafka:
    """Return a broker that is not started.

    Listeners: PLAIN without any security, for the test's own hands; SECURE for TLS with a password; MUTUAL
    for TLS with a client's certificate. alice (SCRAM) has no rights but those a test gives her; bob (PLAIN)
    has all.
    """
    module = "org.apache.kafka.common.security"
    properties = {
        "ssl.keystore.location": str(certificates.server_store),
        "ssl.keystore.password": STORE_PASSWORD,
        "ssl.truststore.location": str(certificates.server_trust),
        "ssl.truststore.password": STORE_PASSWORD,
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.secure.sasl.enabled.mechanisms": "SCRAM-SHA-256,PLAIN",
        "listener.name.secure.scram-sha-256.sasl.jaas.config": f"{module}.scram.ScramLoginModule required;",
        "listener.name.secure.plain.sasl.jaas.config": (
            f'{module}.plain.PlainLoginModule required user_bob="{BOB}";'
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:bob;User:CN=client",
    }
    return ApacheKafka(
        properties=properties,
        listeners={"SECURE": "SASL_SSL", "MUTUAL": "SSL"},
        scram=[f"SCRAM-SHA-256=[name=alice,password={ALICE}]"],
    )
