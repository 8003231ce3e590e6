"""Transport security: credentials of servers and channels, from files that the operator names."""

from pathlib import Path

import grpc

from services.common.settings import SettingsError, TransportSettings


def server_credentials(settings: TransportSettings) -> grpc.ServerCredentials | None:
    """Mutual TLS where certificate, key and authority are set; None = plaintext.

    Raises:
        SettingsError: only some of the three are set, or a file cannot be read.
    """
    files = _files(settings)
    if files is None:
        return None
    certificate, key, authority = files
    return grpc.ssl_server_credentials([(key, certificate)], root_certificates=authority, require_client_auth=True)


def channel_credentials(settings: TransportSettings) -> grpc.ChannelCredentials | None:
    """As `server_credentials`, for a channel to a peer."""
    files = _files(settings)
    if files is None:
        return None
    certificate, key, authority = files
    return grpc.ssl_channel_credentials(root_certificates=authority, private_key=key, certificate_chain=certificate)


def _files(settings: TransportSettings) -> tuple[bytes, bytes, bytes] | None:
    names = (settings.tls_certificate_file, settings.tls_key_file, settings.tls_authority_file)
    if not any(names):
        return None
    if not all(names):
        raise SettingsError(
            "ZHIYIN_TLS_CERTIFICATE_FILE, ZHIYIN_TLS_KEY_FILE and ZHIYIN_TLS_AUTHORITY_FILE: set all three or none"
        )
    try:
        certificate, key, authority = (Path(str(name)).read_bytes() for name in names)
    except OSError as exc:
        raise SettingsError(f"cannot read a TLS file: {exc.strerror}") from None
    return certificate, key, authority
