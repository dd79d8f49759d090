"""Apache Kafka with TLS, passwords, OAuth tokens and rights: certificates from the JDK's keytool."""

import subprocess
from pathlib import Path

from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from tests.servers.apache_kafka import ApacheKafka
from tests.servers.token_issuer import AUDIENCE, CLIENT, TokenIssuer

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


class SecureKafka(ApacheKafka):
    """Listeners: PLAIN without any security, for the test's own hands; SECURE for TLS with a password; MUTUAL for TLS
    with a client's certificate; UNSECURED and OIDC for OAuth tokens over TLS, the first unsigned, the other from
    `issuer`.

    alice (SCRAM) has no rights but those a test gives her; bob (PLAIN) and the holders of tokens have all.
    """

    def __init__(self, certificates: Certificates, issuer: TokenIssuer) -> None:
        self.certificates, self.issuer = certificates, issuer
        keys = issuer.keys.as_uri()
        super().__init__(
            properties={**_tls(certificates), **_passwords(), **_tokens(keys), **_RIGHTS},
            listeners={"SECURE": "SASL_SSL", "MUTUAL": "SSL", "UNSECURED": "SASL_SSL", "OIDC": "SASL_SSL"},
            scram=[f"SCRAM-SHA-256=[name=alice,password={ALICE}]"],
            java_options=[f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys}"],
        )

    def allow_alice(self, kind: ResourceType, name: str, *operations: AclOperation) -> None:
        """Give alice rights on a topic or a group."""
        rights = [
            AclBinding(
                kind, name, ResourcePatternType.LITERAL, "User:alice", "*", each, AclPermissionType.ALLOW
            )
            for each in operations
        ]
        for future in self.admin.create_acls(rights).values():
            future.result(30)

    def with_password(self, mechanism: str, user: str, secret: str) -> dict[str, str]:
        """Return the client's properties for a user at SECURE."""
        return {
            **self._over_tls(mechanism),
            "sasl.username": user,
            "sasl.password": secret,
        }

    def with_unsecured_token(self, **claims: str) -> dict[str, str]:
        """Return the client's properties for an unsigned token at UNSECURED, of the client's own making."""
        words = " ".join(f"{name}={value}" for name, value in claims.items())
        return {
            **self._over_tls("OAUTHBEARER"),
            "enable.sasl.oauthbearer.unsecure.jwt": "true",
            "sasl.oauthbearer.config": words,
        }

    def with_issued_token(self, client: str, secret: str) -> dict[str, str]:
        """Return the client's properties for a token of the issuer at OIDC."""
        return {
            **self._over_tls("OAUTHBEARER"),
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.client.id": client,
            "sasl.oauthbearer.client.secret": secret,
            "sasl.oauthbearer.token.endpoint.url": self.issuer.token_url,
        }

    def _over_tls(self, mechanism: str) -> dict[str, str]:
        return {
            "security.protocol": "sasl_ssl",
            "ssl.ca.location": str(self.certificates.authority),
            "sasl.mechanism": mechanism,
        }


_MODULES = "org.apache.kafka.common.security"
_RIGHTS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": f"User:ANONYMOUS;User:bob;User:CN=client;User:robot;User:{CLIENT}",
}


def _tls(certificates: Certificates) -> dict[str, str]:
    return {
        "ssl.keystore.location": str(certificates.server_store),
        "ssl.keystore.password": STORE_PASSWORD,
        "ssl.truststore.location": str(certificates.server_trust),
        "ssl.truststore.password": STORE_PASSWORD,
        "listener.name.mutual.ssl.client.auth": "required",
    }


def _passwords() -> dict[str, str]:
    secure = "listener.name.secure"
    return {
        f"{secure}.sasl.enabled.mechanisms": "SCRAM-SHA-256,PLAIN",
        f"{secure}.scram-sha-256.sasl.jaas.config": f"{_MODULES}.scram.ScramLoginModule required;",
        f"{secure}.plain.sasl.jaas.config": f'{_MODULES}.plain.PlainLoginModule required user_bob="{BOB}";',
    }


def _tokens(keys: str) -> dict[str, str]:
    module = f"{_MODULES}.oauthbearer.OAuthBearerLoginModule required"
    unsecured, oidc = "listener.name.unsecured", "listener.name.oidc"
    return {
        f"{unsecured}.sasl.enabled.mechanisms": "OAUTHBEARER",
        f"{unsecured}.oauthbearer.sasl.jaas.config": (
            f'{module} unsecuredLoginStringClaim_sub="broker" unsecuredValidatorRequiredScope="pipeline";'
        ),
        f"{oidc}.sasl.enabled.mechanisms": "OAUTHBEARER",
        f"{oidc}.oauthbearer.sasl.jaas.config": f"{module};",
        f"{oidc}.oauthbearer.sasl.server.callback.handler.class": (
            f"{_MODULES}.oauthbearer.OAuthBearerValidatorCallbackHandler"
        ),
        f"{oidc}.oauthbearer.sasl.oauthbearer.jwks.endpoint.url": keys,
        f"{oidc}.oauthbearer.sasl.oauthbearer.expected.audience": AUDIENCE,
    }
