"""`python -m services.feedback` runs feedback."""

from services.common.server import run
from services.feedback.config import FeedbackSettings
from services.feedback.wiring import open_service

if __name__ == "__main__":
    run("feedback", FeedbackSettings, open_service, ["FeedService", "UserDataService"])
