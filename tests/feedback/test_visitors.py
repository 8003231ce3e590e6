import hashlib

from services.feedback.visitors import VisitorHash, VisitorHasher


def hmac_sha256(key, message):
    """RFC 2104, written out."""
    key = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()


def test_the_hash_is_hmac_sha256_of_catalogue_and_visitor():
    expected = hmac_sha256(b"a key", "default\0访客".encode())
    assert VisitorHasher("a key", 7).hash("default", "访客") == VisitorHash(expected, 7)


def test_visitors_of_two_catalogues_and_two_keys_cannot_be_matched():
    hasher = VisitorHasher("a key", 1)
    hashes = {
        hasher.hash("default", "v").digest,
        hasher.hash("other", "v").digest,
        hasher.hash("default", "w").digest,
        VisitorHasher("another key", 1).hash("default", "v").digest,
    }
    assert len(hashes) == 4
