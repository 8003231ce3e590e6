"""`python -m services.encoder` runs the encoder."""

from services.common.server import run
from services.encoder.config import EncoderSettings
from services.encoder.wiring import open_service

if __name__ == "__main__":
    run("encoder", EncoderSettings, open_service)
